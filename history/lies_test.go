package history_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/history"
)

// lies are what a store may say of a log with the entries 1, 2 and 3 that cannot be.
var lies = map[string]func(p *history.Piece){
	"the epoch of the head is":                func(p *history.Piece) { p.Head.Epoch = "short" },
	"the oldest place is":                     func(p *history.Piece) { p.Oldest = p.Head.Offset + 1 },
	"it has 3 entries, and 2":                 nil, // see TestLies
	"is of another epoch":                     func(p *history.Piece) { p.Entries[0].Epoch = "aaaaaaaa" },
	"has 1 before it":                         func(p *history.Piece) { p.Entries[1].Offset = 1 },
	"follows 1 and names 0":                   func(p *history.Piece) { p.Entries[1].Prev = 0 },
	"names 7 before it":                       func(p *history.Piece) { p.Entries[0].Prev, p.Entries[0].Offset = 7, 9 },
	"ends with 3 behind the head 2":           func(p *history.Piece) { p.Head.Offset = 2 },
	"ends with 2, the head is 3":              func(p *history.Piece) { p.Entries = p.Entries[:2] },
	"it is empty, and says":                   func(p *history.Piece) { p.Entries, p.More = nil, true },
	"ends with 3, the head is 3, and it says": func(p *history.Piece) { p.More = true },
	"more than the 4194304 bytes":             func(p *history.Piece) { p.Entries[1].Payload = make([]byte, 5<<20) },
	"offset 0 is known, which is not from 2":  func(p *history.Piece) { p.Oldest = 2 },
}

// TestLies: what a store returns that cannot be is an error and a line, and nobody gets it.
func TestLies(t *testing.T) {
	for want, lie := range lies {
		t.Run(want, func(t *testing.T) {
			s := newStore()
			n := start(t, &history.Options{Store: s})
			n.must("t", "1", "2", "3")
			q := history.Query{}
			if s.read = lie; lie == nil {
				q.Limit = 2
				all := n.storedPiece(s)
				s.read = func(p *history.Piece) { *p = all }
			}
			_, err := n.Read(t.Context(), "t", &q)
			wantError(t, "a lie", err, history.ErrUnavailable)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(n.lines.String(), "reason=history_store") {
				t.Errorf("%v, want %q; log %s", err, want, n.lines.String())
			}
		})
	}
}

// storedPiece reads all of topic t.
func (n *node) storedPiece(s *store) history.Piece {
	n.t.Helper()
	o := &history.ReadOptions{Keep: history.Keep{Size: 10, Bytes: 1000, Age: time.Hour}, Entries: 10, Bytes: 1000}
	p, err := s.Store.Read(n.t.Context(), "t", 0, o)
	if err != nil {
		n.t.Fatal(err)
	}
	return p
}

// TestLiesInNewest: the same for the newest entries.
func TestLiesInNewest(t *testing.T) {
	for want, lie := range map[string]func(p *history.Piece){
		"ends with 3, and those before 3":        func(p *history.Piece) { p.Entries[0].Offset, p.Entries[0].Prev = 3, 2 },
		"begins after 1, before the oldest":      func(p *history.Piece) { p.Oldest = 2 },
		"it has 2 entries, and 1 were asked for": func(p *history.Piece) { p.Entries = append(p.Entries, p.Entries...) },
	} {
		s := newStore()
		n := start(t, &history.Options{Store: s})
		at := n.must("t", "1", "2", "3")
		s.read = lie
		_, err := n.Read(t.Context(), "t", &history.Query{Before: at, Limit: 1})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestLiesInHeads(t *testing.T) {
	for want, lie := range map[string]func(list []history.Head) []history.Head{
		"it has 0 heads for 1":         func([]history.Head) []history.Head { return nil },
		"the epoch of its head is a/b": func([]history.Head) []history.Head { return []history.Head{{Epoch: "a/b"}} },
		"the epoch of its head is ":    func([]history.Head) []history.Head { return []history.Head{{Offset: 3}} },
	} {
		s := newStore()
		n := start(t, &history.Options{Store: s})
		s.heads = lie
		if err := n.Erase(t.Context(), "t"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestUnsound: an entry that no program has published keeps its place in the chain, and nobody gets
// its message.
func TestUnsound(t *testing.T) {
	for name, spoil := range map[string]func(e *history.Entry){
		"event":   func(e *history.Entry) { e.Event = "phx_close" },
		"empty":   func(e *history.Entry) { e.Event = "" },
		"payload": func(e *history.Entry) { e.Payload = []byte(`{}{}`) },
		"array":   func(e *history.Entry) { e.Payload = []byte(`[]`) },
		"from":    func(e *history.Entry) { e.From = strings.Repeat("x", 1000) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore()
				n := start(t, &history.Options{Store: s})
				defer n.close()
				r := n.subscribe("t")
				n.must("t", "1")
				for i, event := range []string{"2", "3", "4"} {
					e := &history.Entry{Event: event, Payload: []byte("{}"), Boot: "another", Number: uint64(i + 1)}
					if event == "3" {
						spoil(e)
					}
					if _, err := s.Store.Append(t.Context(), "t", e, &history.AppendOptions{Keep: history.Keep{Size: 10, Bytes: 1000, Age: time.Hour}}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute) // the follower compares its head with the store
				if got := n.events("t"); got != "1 2 4" {
					t.Errorf("read %q", got)
				}
				if got := strings.Join(r.list(), ","); got != "1,2,,4" {
					t.Errorf("delivered %q", got)
				}
				if !strings.Contains(n.lines.String(), "reason=history_unsound") {
					t.Error(n.lines.String())
				}
			})
		})
	}
}

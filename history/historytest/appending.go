package historytest

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
)

// appendPlaces checks that entries form a chain, in one epoch, and that the newest is the head.
//
// Nodes take an entry only if its Prev is the last one that they have. So with a Prev that is not the
// entry before, every node would read the store again for each entry, and deliver it late or never.
func appendPlaces(s *suite) {
	st := s.open()
	if h := s.head(st, "t"); h != (history.Head{}) {
		s.Errorf("a topic without a log has the zero Head, and not %+v", h)
	}
	places := s.fill(st, "t", "boot", 1, 20, history.AppendOptions{})
	// Before the first entry there is the place 0, which no entry has. Offsets need not be consecutive.
	prev := history.Place{Epoch: places[0].Epoch}
	for _, p := range places {
		if !follow.ValidEpoch(p.Epoch) {
			s.Fatalf("epoch %q: an epoch has 8 characters of a-z and 2-7", p.Epoch)
		}
		if p.Epoch != prev.Epoch || p.Prev != prev.Offset || p.Offset <= prev.Offset || p.Doubled {
			s.Errorf("place %+v after %+v: Prev is the entry before, offsets rise, and the epoch stays", p, prev)
		}
		prev = p
	}
	if h := s.head(st, "t"); h != *headOf(prev) {
		s.Errorf("the head is %+v, want the newest entry, %+v", h, prev)
	}
	// What is read later must have the places that Append has told, since clients get those.
	list := s.all(st, "t", 0, history.ReadOptions{})
	if len(list) != len(places) {
		s.Fatalf("%d entries were read, want %d", len(list), len(places))
	}
	for i := range list {
		if list[i].Place != places[i] || list[i].Number != uint64(i+1) {
			s.Errorf("entry %d has number %d and place %+v, Append has returned %+v", i, list[i].Number, list[i].Place, places[i])
		}
	}
}

// appendFields checks that entries come back as they were appended, with a time.
//
// Boot and Number must come back, too: with them a node finds out whether an append whose answer was lost
// has succeeded. The largest number is 1<<53-1, for stores that count with float64.
func appendFields(s *suite) {
	st := s.open()
	for i, want := range []history.Entry{
		{Event: "said", Payload: []byte(`{"body":"hi"}`), Boot: "boot", Number: 7},
		{Event: "é \"'*", Payload: []byte{0, 1, 2}, Binary: true, From: "boot-one/17", Boot: "boot", Number: 8},
		{Event: strings.Repeat("e", 255), Payload: []byte("{}"), From: "x", Boot: "another", Number: 1<<53 - 1},
	} {
		p := s.append(st, "t", &want, history.AppendOptions{})
		got := s.read(st, "t", p.Prev, history.ReadOptions{}).Entries
		if len(got) != 1 {
			s.Fatalf("%d entries, want 1", len(got))
		}
		e := got[0]
		if e.Event != want.Event || !bytes.Equal(e.Payload, want.Payload) || e.Binary != want.Binary || e.From != want.From || e.Boot != want.Boot || e.Number != want.Number {
			s.Errorf("entry %d comes back changed: %+v, want %+v", i, e, want)
		}
		if e.Place != p {
			s.Errorf("entry %d comes back at %+v, want %+v", i, e.Place, p)
		}
		// The clock of a store may differ from that of this machine, but hardly by a day.
		if away := time.Since(e.Time).Abs(); away > 24*time.Hour {
			s.Errorf("entry %d has the time %v; entries have the time of the store", i, e.Time)
		}
	}
}

// appendPayloads checks payloads of any bytes and of up to Harness.MaxPayload. Binary broadcasts may have
// any bytes, so a store must not take them for text, for numbers or for lines.
func appendPayloads(s *suite) {
	st := s.open()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	// An empty payload, ends of lines, every byte, numbers that a script might round, and a large one.
	list := [][]byte{{}, {0}, []byte("\r\n"), every, bytes.Repeat([]byte{0xff}, 10_000), []byte("-1"), []byte("9007199254740993"), bytes.Repeat(every, s.MaxPayload/256)}
	for i, payload := range list {
		e := entry("boot", uint64(i+1))
		e.Payload, e.Binary = payload, true
		s.append(st, "t", e, history.AppendOptions{})
	}
	got := s.all(st, "t", 0, history.ReadOptions{})
	if len(got) != len(list) {
		s.Fatalf("%d entries, want %d", len(got), len(list))
	}
	for i := range list {
		if !bytes.Equal(got[i].Payload, list[i]) {
			s.Errorf("a payload of %d bytes comes back changed, with %d bytes", len(list[i]), len(got[i].Payload))
		}
	}
}

// oddTopics are topics that a store may take for wildcards, for its own names, or for each other.
func oddTopics() []string {
	list := []string{
		" ", "*", ">", ".", "..", "a.b", "a.*", "a.>", "a..b", ".a", "a.", "$SYS.>", "$JS.API.>", "?", "[a-z]", "h?llo",
		"{}", "{", "}", "{a}", "{a}b", "a{b}c", "}a{", "a b", "a\tb", "é", "e\u0301", "E\u0301", "A", "a", "\u0430", "ａ", "a\u200b", "世界",
		"=", "==", "=2E", "=2e", "a=2Eb", "%2e", "a/b", "a\\b", "a:b", "a::b", "room:1", "room:10", "room:1 ", "a\x00b", "\r\n",
		"__keyspace@0__:x", "phoenix", "-", "--", "'", "\"", "`", "~", "#", "m", "s", "k", "tm", "ts", "tk", "{t}m", "{t}s", "t}m",
	}
	// A topic of a client has at most 255 bytes. Escaped texts of that length are the longest names of a store.
	long := strings.Repeat("x", 254)
	return append(list, long+"x", long+"y", strings.Repeat(".", 255), strings.Repeat("世", 85), strings.Repeat(" ", 255))
}

// appendTopics checks that each topic, whatever its text, has a log of its own.
//
// Clients choose the names of topics below a pattern. If a name could reach the log of another topic, or what
// the store writes beside it, a client could read or disturb what it may not join.
func appendTopics(s *suite) {
	st := s.open()
	topics := oddTopics()
	places := make([]history.Place, len(topics))
	for i, topic := range topics {
		e := entry("boot", 1) // each topic has its own numbers
		e.Event = fmt.Sprint(i)
		places[i] = s.append(st, topic, e, history.AppendOptions{Key: "k"})
		if places[i].Doubled || places[i].Prev != 0 {
			s.Errorf("topic %.40q: the first entry is at %+v; topics have logs of their own", topic, places[i])
		}
	}
	// Only now, since a log that two topics share would have passed until here.
	heads := s.heads(st, topics...)
	for i, topic := range topics {
		if heads[i] != *headOf(places[i]) {
			s.Errorf("topic %.40q has the head %+v, want %+v", topic, heads[i], places[i])
		}
		list := s.all(st, topic, 0, history.ReadOptions{})
		if len(list) != 1 || list[0].Event != fmt.Sprint(i) {
			s.Errorf("topic %.40q has %d entries, want its own alone", topic, len(list))
		}
	}
}

// appendNodes checks that what one node has appended is there for another at once.
//
// A client may be told of an entry by one node and join at another a moment later. If that node did not
// see the entry yet, it would take the client's position for one that the log does not have.
func appendNodes(s *suite) {
	a, b := s.open(), s.open()
	// 100 rounds, since a replica that lags may be quick enough in most of them.
	for i := range uint64(100) {
		p := s.append(a, "t", entry("a", i+1), history.AppendOptions{})
		if h := s.head(b, "t"); h != *headOf(p) {
			s.Fatalf("after Append has returned %+v, another node sees the head %+v", p, h)
		}
		q := s.append(b, "t", entry("b", i+1), history.AppendOptions{After: headOf(p)})
		if q.Prev != p.Offset {
			s.Fatalf("place %+v of one node after %+v of another", q, p)
		}
		if got := s.read(a, "t", p.Offset, history.ReadOptions{}); !got.Known || len(got.Entries) != 1 || got.Entries[0].Place != q {
			s.Fatalf("after Append has returned %+v, another node reads %+v", q, got)
		}
	}
}

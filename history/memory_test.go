package history_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/waittest"
)

var plenty = history.Keep{Size: 1000, Bytes: 1 << 20, Age: time.Hour}

// add appends an entry with a payload of so many bytes, which must succeed.
func add(t *testing.T, s history.Store, topic string, bytes int, o history.AppendOptions) history.Place {
	t.Helper()
	if o.Keep == (history.Keep{}) {
		o.Keep = plenty
	}
	p, err := s.Append(t.Context(), topic, &history.Entry{Event: "e", Payload: make([]byte, bytes), Binary: true}, &o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t *testing.T, s history.Store, topic string, o history.ReadOptions) history.Piece {
	t.Helper()
	o.Newest, o.Entries, o.Bytes = true, 1000, 1<<30
	if o.Keep == (history.Keep{}) {
		o.Keep = plenty
	}
	p, err := s.Read(t.Context(), topic, 0, &o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestForgotten: a store that is full forgets the topics that were used least lately.
func TestForgotten(t *testing.T) {
	const topics = 50
	var forgot []string
	s := history.NewMemoryThatTells(1<<20, func(topic string, entries int) {
		forgot = append(forgot, topic)
		if entries != 2 {
			t.Errorf("%d entries of %s", entries, topic)
		}
	})
	epochs := map[string]string{}
	for i := range topics {
		topic := fmt.Sprint(i)
		add(t, s, topic, 8<<10, history.AppendOptions{})
		epochs[topic] = add(t, s, topic, 8<<10, history.AppendOptions{}).Epoch
	}
	read(t, s, "0", history.ReadOptions{}) // is a use
	if _, err := s.Heads(t.Context(), []string{"1"}); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		topic := fmt.Sprint("new", i)
		add(t, s, topic, 8<<10, history.AppendOptions{})
		add(t, s, topic, 8<<10, history.AppendOptions{})
	}
	if used := history.Used(s); used > 1<<20 || used < 1<<19 {
		t.Errorf("it uses %d bytes", used)
	}
	if len(forgot) < 5 || strings.Join(forgot[:3], " ") != "2 3 4" {
		t.Errorf("forgot %q, want 2, 3, 4 and so on", forgot)
	}
	for topic, epoch := range epochs {
		p := read(t, s, topic, history.ReadOptions{})
		gone := false
		for _, f := range forgot {
			gone = gone || f == topic
		}
		if gone != (p.Head == history.Head{}) || !gone && p.Head.Epoch != epoch {
			t.Errorf("%s: head %+v, forgotten: %t", topic, p.Head, gone)
		}
	}
	if p := add(t, s, "2", 1, history.AppendOptions{}); p.Offset != 1 || p.Epoch == epochs["2"] {
		t.Errorf("a topic that was forgotten begins with %+v", p)
	}
}

// TestOneTopicFull: if one topic alone is too large for the store, its oldest entries go, and then its
// keys.
func TestOneTopicFull(t *testing.T) {
	s := history.NewMemoryThatTells(64<<10, func(topic string, _ int) { t.Error("forgot", topic) })
	for i := range 1000 {
		add(t, s, "t", 1000, history.AppendOptions{Key: fmt.Sprint(i)})
		if used := history.Used(s); used > 64<<10 {
			t.Fatalf("it uses %d bytes after %d entries", used, i+1)
		}
	}
	if p := read(t, s, "t", history.ReadOptions{}); p.Head.Offset != 1000 || len(p.Entries) == 0 {
		t.Errorf("%d entries, head %+v", len(p.Entries), p.Head)
	}
	if p := add(t, s, "t", 1000, history.AppendOptions{Key: "999"}); !p.Doubled || p.Offset != 1000 {
		t.Errorf("the newest key: %+v", p)
	}
}

// TestKeyTime: a key is known for KeyTime.
func TestKeyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := history.NewMemory(1 << 20)
		first := add(t, s, "t", 1, history.AppendOptions{Key: "k"})
		time.Sleep(history.KeyTime)
		if again := add(t, s, "t", 1, history.AppendOptions{Key: "k"}); !again.Doubled || again.Offset != first.Offset {
			t.Errorf("after KeyTime: %+v", again)
		}
		time.Sleep(time.Second)
		if again := add(t, s, "t", 1, history.AppendOptions{Key: "k"}); again.Doubled {
			t.Errorf("after more than KeyTime: %+v", again)
		}
	})
}

// TestAged: entries that are too old are not read, and are not in memory for long if the store is
// used. A topic that nobody uses is forgotten.
func TestAged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := history.NewMemory(1 << 30)
		keep := history.Keep{Size: 1000, Bytes: 1 << 20, Age: time.Minute}
		for i := range 200 {
			add(t, s, fmt.Sprint(i), 10_000, history.AppendOptions{Keep: keep, Key: "k"})
		}
		full := history.Used(s)
		time.Sleep(2 * time.Minute)
		if p := read(t, s, "0", history.ReadOptions{Keep: keep}); len(p.Entries) > 0 || p.Oldest != 1 || p.Head.Offset != 1 {
			t.Errorf("%+v", p)
		}
		use := func() {
			for range 10_000 {
				add(t, s, fmt.Sprint("new", rand.IntN(1000)), 1, history.AppendOptions{Keep: history.Keep{Size: 1, Bytes: 1, Age: time.Minute}})
			}
		}
		use()
		if used := history.Used(s); used > full/2 {
			t.Errorf("it uses %d bytes, and %d while it had all entries", used, full)
		}
		if p := read(t, s, "1", history.ReadOptions{Keep: keep}); p.Head.Offset != 1 {
			t.Errorf("%+v", p)
		}
		time.Sleep(25 * time.Hour)
		use()
		for i := range 200 {
			if p := read(t, s, fmt.Sprint(i), history.ReadOptions{Keep: keep}); p.Head.Offset != 0 {
				t.Errorf("topic %d: %+v", i, p.Head)
			}
		}
	})
}

// TestMemoryModel compares a store with a list, for random bounds.
func TestMemoryModel(t *testing.T) {
	for seed := range waittest.Sized(uint64(50), 2000) {
		synctest.Test(t, func(t *testing.T) { checkMemory(t, rand.New(rand.NewPCG(seed, 2))) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func checkMemory(t *testing.T, r *rand.Rand) {
	type entry struct {
		offset uint64
		bytes  int
		at     time.Time
	}
	s := history.NewMemory(1 << 30)
	keep := history.Keep{Size: 1 + r.IntN(40), Bytes: 1 + r.IntN(3000), Age: time.Duration(1+r.IntN(60)) * time.Second}
	var list []entry
	for range 300 {
		time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
		bytes := r.IntN(200)
		p := add(t, s, "t", bytes, history.AppendOptions{Keep: keep})
		list = append(list, entry{p.Offset, bytes, time.Now()})
		if r.IntN(3) == 0 {
			time.Sleep(time.Duration(r.IntN(20000)) * time.Millisecond)
		}
		sum, first := 0, len(list)
		for first > 0 {
			e := list[first-1]
			if sum += e.bytes; sum > keep.Bytes || time.Since(e.at) > keep.Age || len(list)-first == keep.Size {
				break
			}
			first--
		}
		piece := read(t, s, "t", history.ReadOptions{Keep: keep})
		kept := list[first:]
		if len(piece.Entries) != len(kept) || piece.Oldest != uint64(first) || piece.Head.Offset != uint64(len(list)) {
			t.Fatalf("%d entries from %d to %d; want %d from %d to %d", len(piece.Entries), piece.Oldest, piece.Head.Offset, len(kept), first, len(list))
		}
		for i, e := range piece.Entries {
			if e.Offset != kept[i].offset || len(e.Payload) != kept[i].bytes || !e.Time.Equal(kept[i].at) {
				t.Fatalf("%+v, want %+v", e, kept[i])
			}
		}
	}
}

// TestMemoryUsed: the sizes that a store counts add up again when everything is dropped.
func TestMemoryUsed(t *testing.T) {
	s := history.NewMemory(256 << 10)
	r := rand.New(rand.NewPCG(1, 3))
	for range waittest.Sized(20_000, 1_000_000) {
		topic := fmt.Sprint(r.IntN(100))
		switch r.IntN(20) {
		case 0:
			if err := s.Rotate(t.Context(), topic, read(t, s, topic, history.ReadOptions{}).Head.Epoch); err != nil {
				t.Fatal(err)
			}
		case 1:
			add(t, s, topic, r.IntN(1000), history.AppendOptions{Key: fmt.Sprint(r.IntN(5)), Keep: history.Keep{Size: 3, Bytes: 1000, Age: time.Hour}})
		default:
			add(t, s, topic, r.IntN(5000), history.AppendOptions{Keep: history.Keep{Size: 1 + r.IntN(20), Bytes: 10_000, Age: time.Hour}})
		}
		if used := history.Used(s); used < 0 || used > 256<<10 {
			t.Fatalf("it uses %d bytes", used)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if used := history.Used(s); used != 0 {
		t.Errorf("after Close it uses %d bytes", used)
	}
}

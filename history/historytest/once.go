package historytest

import (
	"errors"
	"strings"
	"sync"

	"github.com/bennu-go/bennu/history"
)

// onceNumbers checks that an entry whose number was appended before is not appended again.
//
// A node repeats an append whose answer was lost. The first try may have succeeded, or may come after the
// second: in both cases the entry must be there once, or clients get a message twice.
func onceNumbers(s *suite) {
	st := s.open()
	// The same entry again, as after a lost answer: at once, and after the next one.
	first := s.append(st, "t", entry("boot", 1), history.AppendOptions{})
	s.doubled("a number is appended once", s.append(st, "t", entry("boot", 1), history.AppendOptions{}), first)
	second := s.append(st, "t", entry("boot", 2), history.AppendOptions{})
	s.doubled("a number is appended once", s.append(st, "t", entry("boot", 1), history.AppendOptions{}), first)
	s.doubled("a number is appended once", s.append(st, "t", entry("boot", 2), history.AppendOptions{}), second)
	// Other topics, and boots whose names begin alike, have numbers of their own.
	for _, other := range []struct{ topic, boot string }{{"t", "another"}, {"u", "boot"}, {"t", "boo"}, {"t", "boot1"}} {
		if p := s.append(st, other.topic, entry(other.boot, 1), history.AppendOptions{}); p.Doubled {
			s.Errorf("number 1 of %q in %q: %+v; each boot numbers the entries of each topic", other.boot, other.topic, p)
		}
	}
	if p := s.append(st, "t", entry("boot", 100), history.AppendOptions{}); p.Doubled {
		s.Errorf("number 100 after 2: %+v; numbers need not be consecutive", p)
	}
	// The number 0 is none, so nothing tells that the second entry is the first one again.
	for range 2 {
		if p := s.append(st, "t", entry("boot", 0), history.AppendOptions{}); p.Doubled {
			s.Errorf("an entry without a number: %+v", p)
		}
	}
	if list := s.all(st, "t", 0, history.ReadOptions{}); len(list) != 8 {
		s.Errorf("%d entries, want 8; nothing is appended for a number that was", len(list))
	}
}

// onceLateNumbers checks that a number below the last one is not appended, and that ErrUnknown is the
// answer when its place is not known. The first try of an entry can arrive after later entries, for instance
// when it was held up in the network. A place that was made up would break the chain at every node.
func onceLateNumbers(s *suite) {
	st := s.open()
	s.append(st, "t", entry("boot", 5), history.AppendOptions{})
	if p, err := try(st, "t", entry("boot", 3), history.AppendOptions{}); !errors.Is(err, history.ErrUnknown) {
		s.Errorf("number 3, which was never appended, after 5: %+v, %v, want ErrUnknown", p, err)
	}
	// Entries of others are trimmed away, and the numbers of this boot are still known.
	few := history.AppendOptions{Keep: history.Keep{Size: 3, Bytes: 1 << 20, Age: plenty.Age}}
	for n := uint64(1); n <= 40; n++ {
		s.append(st, "t", entry("another", n), few)
	}
	// Its place may be known without its entry. ErrUnknown is right otherwise, and another append never is.
	p, err := try(st, "t", entry("boot", 5), few)
	if err == nil && !p.Doubled || err != nil && !errors.Is(err, history.ErrUnknown) {
		s.Errorf("number 5, whose entry was trimmed away: %+v, %v, want its place with Doubled set, or ErrUnknown", p, err)
	}
	if got := s.read(st, "t", s.head(st, "t").Offset, history.ReadOptions{}); !got.Known || len(got.Entries) > 0 {
		s.Errorf("the log has changed: %+v", got)
	}
}

// onceKeys checks that a key is appended once to each topic, whatever the entry.
//
// A program gives a key to a message that it may publish again after it has crashed, at another node. So
// the key counts, and neither the boot nor the payload of the second try.
func onceKeys(s *suite) {
	st := s.open()
	first := s.append(st, "t", entry("a", 1), history.AppendOptions{Key: "order-17"})
	s.append(st, "t", entry("b", 1), history.AppendOptions{})
	other := entry("b", 2)
	other.Payload = []byte(`{"other":true}`)
	s.doubled("a key is appended once", s.append(st, "t", other, history.AppendOptions{Key: "order-17"}), first)
	s.doubled("a key is appended once", s.append(st, "t", entry("a", 2), history.AppendOptions{Key: "order-17"}), first)
	if p := s.append(st, "u", entry("a", 1), history.AppendOptions{Key: "order-17"}); p.Doubled {
		s.Errorf("the key of another topic: %+v; each topic has its own keys", p)
	}
	if p := s.append(st, "t", entry("b", 3), history.AppendOptions{Key: "order-18"}); p.Doubled {
		s.Errorf("another key: %+v", p)
	}
	// A key lasts though its entry is trimmed away.
	few := history.AppendOptions{Keep: history.Keep{Size: 2, Bytes: 1 << 20, Age: plenty.Age}}
	s.fill(st, "t", "c", 1, 20, few)
	few.Key = "order-17"
	p, err := try(st, "t", entry("c", 21), few)
	if err == nil && (!p.Doubled || !same(p, first)) || err != nil && !errors.Is(err, history.ErrUnknown) {
		s.Errorf("a key whose entry was trimmed away: %+v, %v, want %+v with Doubled set, or ErrUnknown", p, err, first)
	}
}

// onceOddKeys checks that keys of any text are distinct. Keys are texts of the program, of at most 128
// bytes, such as ids of orders. A store that cuts or folds them would drop the message of another order.
func onceOddKeys(s *suite) {
	st := s.open()
	long := strings.Repeat("k", 127)
	// Blanks, wildcards, letters that fold or compose, braces of hash tags, escapes, and long keys that
	// differ in their last byte.
	keys := []string{" ", "*", ">", ".", "a.b", "a", "A", "a ", "é", "e\u0301", "世界", "{a}", "\r\n", "a\x00", "=2E", "%", long + "k", long + "l", strings.Repeat("世", 42)}
	places := make([]history.Place, len(keys))
	for i, key := range keys {
		if places[i] = s.append(st, "t", entry("boot", uint64(i+1)), history.AppendOptions{Key: key}); places[i].Doubled {
			s.Errorf("key %.40q counts as another one", key)
		}
	}
	for i, key := range keys {
		s.doubled("a key is appended once", s.append(st, "t", entry("again", uint64(i+1)), history.AppendOptions{Key: key}), places[i])
	}
	// Topics and keys are apart, and so are they from what the store itself writes of a topic.
	s.append(st, "v", entry("boot", 1), history.AppendOptions{Key: "x}m"})
	for _, topic := range []string{"v}kx", "v}k", "vk"} {
		if p := s.append(st, topic, entry("boot", 1), history.AppendOptions{Key: "}m"}); p.Doubled || p.Prev != 0 {
			s.Errorf("the first entry of topic %q is at %+v", topic, p)
		}
	}
	s.append(st, "x:", entry("boot", 1), history.AppendOptions{Key: "y"})
	if p := s.append(st, "x", entry("boot", 1), history.AppendOptions{Key: ":y"}); p.Doubled {
		s.Errorf("key \":y\" of topic \"x\" counts as key \"y\" of topic \"x:\"")
	}
}

// onceKeysAtOnce checks that one of several nodes that append a key at the same time succeeds. A store
// that looks for the key first and appends in a second step fails here, in most runs.
func onceKeysAtOnce(s *suite) {
	// Two nodes, of which each has four goroutines, as a program has that retries on several servers.
	stores := []history.Store{s.open(), s.open()}
	for round := range uint64(30) {
		key := strings.Repeat("k", int(round)+1)
		places := make([]history.Place, 8)
		var all sync.WaitGroup
		for i := range places {
			all.Go(func() {
				var err error
				if places[i], err = try(stores[i%2], "t", entry(string(rune('a'+i)), round+1), history.AppendOptions{Key: key}); err != nil {
					s.Errorf("Append: %v", err)
				}
			})
		}
		all.Wait()
		// All get the same place, and one of them without Doubled.
		fresh := 0
		for _, p := range places {
			fresh += boolInt(!p.Doubled)
			if !same(p, places[0]) {
				s.Errorf("one key is at %+v and at %+v", p, places[0])
			}
		}
		if fresh != 1 {
			s.Errorf("%d of 8 have appended the key, want 1", fresh)
		}
		if s.Failed() {
			return
		}
	}
}

// onceForgottenKeys checks that a key can be used again after KeyTime, so that keys do not take memory
// for ever.
func onceForgottenKeys(s *suite) {
	if s.KeysPass == nil {
		s.Skipf("Harness.KeysPass is nil")
	}
	st := s.open()
	s.append(st, "t", entry("a", 1), history.AppendOptions{Key: "k"})
	s.KeysPass(s.TB)
	second := s.append(st, "t", entry("a", 2), history.AppendOptions{Key: "k"})
	if second.Doubled {
		s.Errorf("a key is forgotten after KeyTime: %+v", second)
	}
	s.doubled("a key that was forgotten and used again is known again", s.append(st, "t", entry("a", 3), history.AppendOptions{Key: "k"}), second)
}

package historytest_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/history/historytest"
)

// fake is a server in the process, whose stores are right, or wrong in one way.
type fake struct {
	wrong string // the fault, or ""

	mu   sync.Mutex
	logs map[string]*fakeLog
	lose int // the answers of so many appends are lost
}

// fakeLog is the log of a topic.
type fakeLog struct {
	head    history.Head
	entries []history.Entry
	boots   map[string]uint64
	numbers map[string]history.Place // by boot and number
	keys    map[string]history.Place
}

// maxFake is the largest payload of a fake.
const maxFake = 1 << 20

// harness makes a Harness of a new fake.
func harness(wrong string) func(testing.TB) *historytest.Harness {
	return func(testing.TB) *historytest.Harness {
		f := &fake{wrong: wrong, logs: make(map[string]*fakeLog)}
		nodes := 0
		return &historytest.Harness{
			Open: func(testing.TB) history.Store { nodes++; return &fakeStore{fake: f, node: nodes} },
			Cut: func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.lose = 2
			},
			KeysPass: func(testing.TB) {
				f.mu.Lock()
				defer f.mu.Unlock()
				for _, l := range f.logs {
					if !f.is("keys forever") {
						clear(l.keys)
					}
				}
			},
			TooLarge: maxFake + 1,
		}
	}
}

// is reports whether the fake has a fault.
func (f *fake) is(wrong string) bool { return f.wrong == wrong }

// log returns the log of a topic, or makes one.
func (f *fake) log(topic string) *fakeLog {
	switch {
	case f.is("topics fold"):
		topic = strings.ToLower(topic)
	case f.is("topics are cut"):
		topic = topic[:min(len(topic), 254)]
	}
	l := f.logs[topic]
	if l == nil {
		l = &fakeLog{boots: make(map[string]uint64), numbers: make(map[string]history.Place), keys: make(map[string]history.Place)}
		f.logs[topic] = l
	}
	return l
}

// epoch returns a new epoch.
func (f *fake) epoch() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	text := make([]byte, 8)
	for i := range text {
		text[i] = alphabet[rand.IntN(len(alphabet))]
	}
	if f.is("epoch has capitals") {
		text[0] = 'A'
	}
	return string(text)
}

// fakeStore is the store of one node.
type fakeStore struct {
	*fake
	node   int
	closed bool
	stale  []history.Head
}

// gap lets others run, within a call that is not atomic.
func (f *fake) gap(wrong string) {
	if !f.is(wrong) {
		return
	}
	f.mu.Unlock()
	for range 20 {
		runtime.Gosched()
	}
	f.mu.Lock()
}

func (s *fakeStore) Append(ctx context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
	runtime.Gosched() // readers are to see what is between
	s.mu.Lock()
	defer s.mu.Unlock()
	late := ctx.Err() != nil
	switch {
	case s.closed && !s.is("goes on after Close"):
		return history.Place{}, history.ErrUnavailable
	case len(e.Payload) > maxFake && !s.is("takes all sizes"):
		if s.is("a refused entry takes its number") {
			s.log(topic).boots[e.Boot] = e.Number
		}
		return history.Place{}, history.ErrTooLarge
	case late && e.Number%2 == 0:
		return history.Place{}, history.ErrUnavailable
	}
	if s.lose == 1 {
		s.lose--
		return history.Place{}, history.ErrUnavailable
	}
	p, err := s.append(topic, e, o)
	switch {
	case err != nil:
		return p, err
	case s.lose > 0, late:
		s.lose = max(s.lose-1, 0)
		if s.is("unavailable though stored") {
			return history.Place{}, history.ErrUnavailable
		}
		return history.Place{}, history.ErrUnknown
	}
	return p, nil
}

func (s *fakeStore) append(topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
	l := s.log(topic)
	number := fmt.Sprint(e.Boot, " ", e.Number)
	key := o.Key
	switch {
	case key == "":
	case s.is("keys of all topics"):
		l = s.log("")
		defer func(l *fakeLog) { l.keys[key] = s.log(topic).numbers[number] }(l)
	case s.is("keys are trimmed"):
		key = strings.TrimSpace(key)
	case s.is("keys are cut"):
		key = key[:min(len(key), 127)]
	}
	old, known := l.keys[key]
	if l = s.log(topic); known && key != "" && !s.is("no keys") && !s.is("conflict before key") {
		old.Doubled = true
		return old, nil
	}
	s.gap("keys are not atomic")
	if e.Number > 0 && e.Number <= l.boots[e.Boot] && !s.is("conflict before number") {
		if old, ok := l.numbers[number]; ok && !s.is("no numbers") {
			old.Doubled = !s.is("Doubled is not set")
			return old, nil
		}
		if !s.is("no numbers") && (!s.is("late numbers are taken") || e.Number == l.boots[e.Boot]) {
			return history.Place{}, history.ErrUnknown
		}
	}
	if o.After != nil && !s.is("After is ignored") {
		if head := l.head; *o.After != head && (!s.is("After without epoch") || o.After.Offset != head.Offset) {
			if s.is("a conflict without head") {
				head = history.Head{}
			}
			return history.Place{}, &history.Conflict{Head: history.OffsetOf(history.Place{Epoch: head.Epoch, Offset: head.Offset})}
		}
	}
	s.gap("After is not atomic")
	return s.put(l, e, o, number, key), nil
}

// put appends an entry to its log.
func (s *fakeStore) put(l *fakeLog, e *history.Entry, o *history.AppendOptions, number, key string) history.Place {
	if l.head.Epoch == "" {
		l.head.Epoch = s.epoch()
	}
	p := history.Place{Epoch: l.head.Epoch, Offset: l.head.Offset + 3, Prev: l.head.Offset}
	s.gap("Append is not atomic")
	if s.is("no Prev") {
		p.Prev = 0
	}
	put := *e
	put.Place, put.Time = p, time.Now()
	switch {
	case s.is("no From"):
		put.From = ""
	case s.is("no Time"):
		put.Time = time.Time{}
	case s.is("payloads are text"):
		put.Payload = []byte(strings.ToValidUTF8(string(e.Payload), "?"))
	}
	l.entries = append(l.entries, put)
	l.entries = l.kept(s.fake, o.Keep, true)
	l.head.Offset = p.Offset
	l.boots[e.Boot] = max(e.Number, l.boots[e.Boot])
	l.numbers[number] = p
	if key != "" {
		l.keys[key] = p
	}
	return p
}

// kept returns the entries that are kept.
func (l *fakeLog) kept(f *fake, keep history.Keep, appending bool) []history.Entry {
	from, size := len(l.entries), 0
	most := keep.Size + f.either("one entry too many", 1, 0)
	if appending && f.is("trims too early") {
		most = keep.Size - 1
	}
	for i := len(l.entries) - 1; i >= 0; i-- {
		e := &l.entries[i]
		size += len(e.Payload)
		if len(l.entries)-i > most || size > keep.Bytes && !f.is("Bytes are ignored") || time.Since(e.Time) > keep.Age && !f.is("Age is ignored") {
			break
		}
		from = i
	}
	return l.entries[from:]
}

// either returns a if the fake has the fault, and otherwise b.
func (f *fake) either(wrong string, a, b int) int {
	if f.is(wrong) {
		return a
	}
	return b
}

func (s *fakeStore) Read(ctx context.Context, topic string, after uint64, o *history.ReadOptions) (history.Piece, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return history.Piece{}, history.ErrUnavailable
	}
	l := s.log(topic)
	list := slices.Clone(l.kept(s.fake, o.Keep, false))
	s.gap("Read is not of one moment")
	p := history.Piece{Head: l.head, Oldest: l.head.Offset}
	if len(list) > 0 {
		p.Oldest = list[0].Prev
	}
	if o.Newest {
		return s.newest(p, list, o), nil
	}
	switch at, found := slices.BinarySearchFunc(list, after, func(e history.Entry, after uint64) int { return cmp.Compare(e.Offset, after) }); {
	case found:
		p.Known, list = true, list[at+1:]
	case after == p.Oldest || after == p.Head.Offset && len(list) == 0:
		p.Known = true
	case after < p.Head.Offset && s.is("all below the head are known"), after > p.Head.Offset && s.is("the future is known"), after == 0 && s.is("0 is known"):
		p.Known, list = true, list[at:]
	default:
		return p, nil
	}
	n := fits(s.fake, list, o)
	p.Entries, p.More = list[:n], n < len(list) && !s.is("More is not set")
	return p, nil
}

func (s *fakeStore) newest(p history.Piece, list []history.Entry, o *history.ReadOptions) history.Piece {
	p.Known = true
	if o.Before > 0 {
		at := slices.IndexFunc(list, func(e history.Entry) bool { return e.Offset >= o.Before })
		if at >= 0 && !s.is("Before is ignored") {
			list = list[:at]
		}
	}
	slices.Reverse(list)
	n := fits(s.fake, list, o)
	p.Entries, p.More = list[:n], n < len(list)
	if !s.is("the newest come first") {
		slices.Reverse(p.Entries)
	}
	return p
}

// fits returns how many entries fit into a page.
func fits(f *fake, list []history.Entry, o *history.ReadOptions) int {
	size := 0
	for i := range list {
		size += len(list[i].Payload)
		if i == o.Entries+f.either("a page of one too many", 1, 0) || size > o.Bytes && !f.is("bytes of a page are ignored") && (i > 0 || f.is("a page may be empty")) {
			return i
		}
	}
	return len(list)
}

func (s *fakeStore) Heads(ctx context.Context, topics []string) (list []history.Head, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, history.ErrUnavailable
	}
	for _, topic := range topics {
		if h := s.log(topic).head; h != (history.Head{}) || !s.is("heads of some are left out") {
			list = append(list, h)
		}
	}
	switch {
	case s.is("heads are sorted"):
		slices.SortFunc(list, func(a, b history.Head) int { return cmp.Compare(a.Offset, b.Offset) })
	case s.is("another node is late") && s.node == 2:
		list, s.stale = s.stale, list
		if len(list) != len(topics) {
			list = s.stale
		}
	}
	return list, nil
}

func (s *fakeStore) Rotate(ctx context.Context, topic, epoch string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return history.ErrUnavailable
	}
	l := s.log(topic)
	switch {
	case l.head.Epoch == "" && (epoch != "" || s.is("no log is begun")):
		return nil
	case l.head.Epoch != epoch && !s.is("any epoch is rotated"):
		return nil
	}
	l.head = history.Head{Epoch: s.epoch()}
	if s.is("the epoch stays") {
		l.head.Epoch = epoch
	}
	if !s.is("entries stay") {
		l.entries = nil
	}
	return nil
}

func (s *fakeStore) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

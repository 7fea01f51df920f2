package redishistory

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/internal/redistest"
)

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// count returns how often the log has a text.
func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// logged runs one server with a store, whose log is kept.
func logged(t testing.TB) (*redistest.Server, history.Store, *lines) {
	t.Helper()
	s, l := redistest.Start(t), new(lines)
	return s, start(t, Options{Addrs: []string{s.Addr}, Logger: slog.New(slog.NewTextHandler(l, nil))}), l
}

// newest reads the newest entries.
func newest(t testing.TB, s history.Store, topic string) history.Piece {
	t.Helper()
	p, err := s.Read(t.Context(), topic, 0, &history.ReadOptions{Keep: plenty, Entries: 1_000, Bytes: 1 << 20, Newest: true})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return p
}

// Entries of others in the middle of a stream are passed, and a line says so.
func TestForeignEntry(t *testing.T) {
	t.Parallel()
	s, st, log := logged(t)
	for name, fields := range map[string][]string{
		"short":  {"m", "x", "d", "canary"},
		"fields": {"a", "1"},
		"many":   append([]string{"m", strings.Repeat("x", 22), "d", "y"}, strings.Fields(strings.Repeat("f canary ", 1_000))...),
		"long":   {"m", strings.Repeat("x", 100_000), "d", "y"},
		"forged": {"m", "\x00\x05" + strings.Repeat("\x00", 17) + "\x02\xff\x00\x01x", "d", "y"},
	} {
		first := add(t, st, name, 1)
		if first.Offset > 1<<53 {
			t.Fatal(first)
		}
		s.Do(t, append([]string{"XADD", "{bennu.h." + name + "}s", fmt.Sprint(first.Offset, "-1")}, fields...)...)
		second := add(t, st, name, 2)
		if second.Prev != first.Offset || second.Epoch != first.Epoch {
			t.Errorf("%s: %+v after %+v", name, second, first)
		}
		if p := read(t, st, name, first.Offset); !p.Known || len(p.Entries) != 1 || p.Entries[0].Place != second {
			t.Errorf("%s: a place before an entry of others: %+v", name, p)
		}
		if p := read(t, st, name, second.Offset); !p.Known {
			t.Errorf("%s: the head is not known: %+v", name, p)
		}
		if p := newest(t, st, name); len(p.Entries) != 2 {
			t.Errorf("%s: the newest are %+v", name, p)
		}
		for n := uint64(3); n <= 40; n++ {
			if p := add(t, st, name, n); p.Doubled {
				t.Errorf("%s: number %d is doubled: the first try was an error and has appended it", name, n)
			}
		}
		if p := newest(t, st, name); len(p.Entries) != 40 || p.Entries[len(p.Entries)-1].Number != 40 {
			t.Errorf("%s: %d entries at the end: the entry of others is still in the way", name, len(p.Entries))
		}
	}
	// Very many are not passed: only the head is known. When they are the oldest, they are removed.
	first := add(t, st, "t", 1)
	for n := range 1_100 {
		s.Do(t, "XADD", "{bennu.h.t}s", fmt.Sprint(first.Offset, "-", n+1), "a", "1")
	}
	if p := newest(t, st, "t"); len(p.Entries) != 1 && len(p.Entries) != 0 {
		t.Errorf("behind very many: %+v", p)
	}
	second := add(t, st, "t", 2)
	if p := read(t, st, "t", second.Offset); !p.Known {
		t.Errorf("the head behind very many: %+v", p)
	}
	few := history.Keep{Size: 5, Bytes: 1 << 20, Age: time.Hour}
	for n := uint64(3); n <= 60; n++ {
		if _, err := st.Append(t.Context(), "t", &history.Entry{Event: "e", Boot: "b", Number: n}, &history.AppendOptions{Keep: few}); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := strconv.Atoi(s.Do(t, "XLEN", "{bennu.h.t}s")); n > 25 {
		t.Errorf("%d entries are left", n)
	}
	if log.count("reason=history_foreign") < 5 || log.count("canary") > 0 {
		t.Errorf("the log is %q", log.text.String())
	}
}

// An id above the head, up to the highest that there is.
func TestForeignID(t *testing.T) {
	t.Parallel()
	s, st, log := logged(t)
	for i, id := range []string{"99999999-0", "9007199254740993-0", "18446744073709551615-18446744073709551615"} {
		topic := fmt.Sprint("t", i)
		first := add(t, st, topic, 1)
		s.Do(t, "XADD", "{bennu.h."+topic+"}s", id, "m", "x", "d", "y")
		read(t, st, topic, first.Offset)
		second := add(t, st, topic, 2)
		if p := read(t, st, topic, first.Offset); !p.Known || len(p.Entries) != 1 || p.Entries[0].Place != second {
			t.Errorf("%s: after an entry of a stranger: %+v, want %+v", id, p, second)
		}
		if log.count("topic="+topic) == 0 {
			t.Errorf("%s: no line in the log", id)
		}
	}
}

// A hash that others have changed is no log: the next append begins an epoch, and a line says so.
func TestForeignHash(t *testing.T) {
	t.Parallel()
	s, st, log := logged(t)
	for i, fields := range [][]string{
		{"e", "UPPERCAS"}, {"e", "aaaaaaaaa"}, {"e", strings.Repeat("x", 1<<20)}, {"h", "x"}, {"h", "-5"}, {"h", "-1"}, {"h", "9007199254740991"},
		{"h", strings.Repeat("9", 300)}, {"n", "x"}, {"n", "1.5"}, {"n", "1099511627775"}, {"c", ""}, {"c", "281474976710655"}, {"t", "nan"}, {"x", "inf"},
		{"bb", "x"}, {"bb", "1 2"}, {"bb", "99999999999999999999 5 3"},
	} {
		topic := fmt.Sprint("t", i)
		first := add(t, st, topic, 1)
		s.Do(t, append([]string{"HSET", "{bennu.h." + topic + "}m"}, fields...)...)
		if !strings.HasPrefix(fields[0], "b") { // only an append by this boot looks at these
			if h := headOf(t, st, topic); h != (history.Head{}) {
				t.Errorf("%.20q: the head is %+v", fields, h)
			}
			if p := read(t, st, topic, first.Offset); p.Known || len(p.Entries) > 0 {
				t.Errorf("%.20q: %+v", fields, p)
			}
		}
		second := add(t, st, topic, 2)
		if second.Epoch == first.Epoch || second.Prev != 0 {
			t.Errorf("%.20q: %+v after %+v", fields, second, first)
		}
		if p := read(t, st, topic, 0); len(p.Entries) != 1 || p.Entries[0].Place != second {
			t.Errorf("%.20q: %+v", fields, p)
		}
		if log.count("topic="+topic+" ") == 0 {
			t.Errorf("%.20q: no line in the log", fields)
		}
	}
	// Without an epoch.
	s.Do(t, "HSET", "{bennu.h.u}m", "h", "5", "mine", "1")
	if p := add(t, st, "u", 1); p.Prev != 0 || s.Do(t, "HEXISTS", "{bennu.h.u}m", "mine") != "0" {
		t.Errorf("%+v in a hash of others", p)
	}
	if err := st.Rotate(t.Context(), "t0", ""); err != nil {
		t.Error(err)
	}
}

// A hash with very many fields costs one look, and not one for each boot.
func TestManyFields(t *testing.T) {
	t.Parallel()
	s, st, log := logged(t)
	first := add(t, st, "t", 1)
	args := []string{"HSET", "{bennu.h.t}m"}
	for i := range 5_000 {
		args = append(args, fmt.Sprint("field", i), "x")
	}
	s.Do(t, args...)
	second, err := tryAdd(st, "t", "other", 1)
	if err != nil || second.Prev != first.Offset || second.Epoch != first.Epoch {
		t.Errorf("%+v, %v", second, err)
	}
	if n := s.Do(t, "HLEN", "{bennu.h.t}m"); n != "7" {
		t.Errorf("the hash has %s fields, want 7", n)
	}
	if ms, _ := strconv.Atoi(s.Do(t, "PTTL", "{bennu.h.t}m")); ms <= 0 || log.count("reason=history_foreign") != 1 {
		t.Errorf("it lives %d ms; %q", ms, log.text.String())
	}
}

// Keys of another type belong to another program: nothing there is deleted, and only that topic fails.
func TestOtherTypes(t *testing.T) {
	t.Parallel()
	s, st, log := logged(t)
	good := add(t, st, "good", 1)
	old := add(t, st, "u", 1)
	s.Do(t, "SET", "{bennu.h.t}m", "theirs")
	s.Do(t, "SET", "{bennu.h.v}s", "theirs")
	s.Do(t, "DEL", "{bennu.h.u}s")
	s.Do(t, "SET", "{bennu.h.u}s", "theirs")
	s.Do(t, "SET", "{bennu.h.good}kK", "theirs")
	for _, topic := range []string{"t", "u", "v"} {
		for n := uint64(2); n < 4; n++ {
			if p, err := tryAdd(st, topic, "b", n); !errors.Is(err, history.ErrUnavailable) || !strings.Contains(err.Error(), "something else at a key of history") {
				t.Errorf("topic %s: %+v, %v", topic, p, err)
			}
		}
		_ = st.Rotate(t.Context(), topic, "")
	}
	if err := st.Rotate(t.Context(), "u", old.Epoch); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("Rotate: %v", err)
	}
	for _, key := range []string{"{bennu.h.t}m", "{bennu.h.u}s", "{bennu.h.v}s"} {
		if s.Do(t, "GET", key) != "theirs" {
			t.Errorf("%s was changed", key)
		}
	}
	heads, err := st.Heads(t.Context(), []string{"t", "good", "u", "v"})
	if err != nil || heads[0] != (history.Head{}) || heads[1] != (history.Head{Epoch: good.Epoch, Offset: good.Offset}) || heads[2].Offset != old.Offset {
		t.Errorf("heads beside a string: %+v, %v", heads, err)
	}
	_, err = st.Append(t.Context(), "good", &history.Entry{Event: "e", Boot: "b", Number: 2}, &history.AppendOptions{Keep: plenty, Key: "K"})
	if !errors.Is(err, history.ErrUnavailable) || errors.Is(err, history.ErrUnknown) {
		t.Errorf("a key of the application that others have: %v", err)
	}
	s.Do(t, "DEL", "{bennu.h.u}s")
	if p := add(t, st, "u", 2); p.Doubled || p.Prev != old.Offset {
		t.Errorf("%+v after the string is gone, %+v before", p, old)
	}
	if log.count("reason=history_foreign") == 0 {
		t.Error("no line in the log")
	}
}

// Somebody deletes entries: a place before the gap is not known, and nothing is left out in silence.
func TestDeletedEntries(t *testing.T) {
	t.Parallel()
	s, st, _ := logged(t)
	var list []history.Place
	for n := range uint64(6) {
		list = append(list, add(t, st, "t", n+1))
	}
	del := func(i int) { s.Do(t, "XDEL", "{bennu.h.t}s", fmt.Sprint(list[i].Offset, "-0")) }
	del(2)
	for i, known := range []bool{true, false, false, true, true, true} {
		if p := read(t, st, "t", list[i].Offset); p.Known != known || known && len(p.Entries) != []int{1, 0, 0, 2, 1, 0}[i] {
			t.Errorf("place %d: known %t with %d entries", i, p.Known, len(p.Entries))
		}
	}
	if p := newest(t, st, "t"); len(p.Entries) != 3 || p.Entries[0].Offset != list[3].Offset {
		t.Errorf("the newest are %+v", p)
	}
	del(5) // the newest
	for i, known := range []bool{true, false, false, true, false, true} {
		if p := read(t, st, "t", list[i].Offset); p.Known != known {
			t.Errorf("place %d without the newest: known %t", i, p.Known)
		}
	}
	if p := add(t, st, "t", 7); p.Prev != list[5].Offset {
		t.Errorf("%+v after %+v", p, list[5])
	}
}

// A permission is withdrawn while the store runs: an append is made or it is not, and its error says which.
func TestPermissionCut(t *testing.T) {
	t.Parallel()
	s, log := redistest.Start(t), new(lines)
	acl := func(rules ...string) { s.Do(t, append([]string{"ACL", "SETUSER", "u"}, rules...)...) }
	acl(append([]string{"on", ">secret", "~{bennu.h.*"}, strings.Fields(commands)...)...)
	st := start(t, Options{Addrs: []string{s.Addr}, Username: "u", Password: "secret", Logger: slog.New(slog.NewTextHandler(log, nil))})
	try := func(number uint64, key string) (history.Place, error) {
		return st.Append(t.Context(), "t", &history.Entry{Event: "e", Payload: []byte("{}"), Boot: "b", Number: number}, &history.AppendOptions{Keep: plenty, Key: key})
	}
	number := uint64(0)
	for _, command := range []string{"xadd", "set", "hset", "hmget", "time", "get"} {
		if _, err := tryAdd(st, "new"+command, "c", 1); command != "xadd" && err != nil {
			t.Fatal(err)
		}
		number++
		before, err := try(number, "")
		if err != nil {
			t.Fatal(err)
		}
		number++
		key := "key" + command
		acl("-" + command)
		for _, n := range []uint64{number, number} {
			if p, err := try(n, key); !errors.Is(err, history.ErrUnavailable) || !strings.Contains(err.Error(), "ACL SETUSER") || strings.Contains(err.Error(), "secret") {
				t.Errorf("without %s: %+v, %v", command, p, err)
			}
		}
		acl("+" + command)
		if p, err := try(number, key); err != nil || p.Doubled || p.Prev != before.Offset || p.Epoch != before.Epoch {
			t.Errorf("with %s again: %+v, %v, behind %+v", command, p, err, before)
		}
	}
	if p := newest(t, st, "t"); len(p.Entries) != int(number) {
		t.Errorf("%d entries, want %d", len(p.Entries), number)
	}
	// What tidies up is no error of the append.
	acl("-xtrim", "-pexpire", "-hlen")
	few := history.Keep{Size: 1, Bytes: 1 << 20, Age: 2 * time.Hour}
	for range 40 {
		number++
		p, err := st.Append(t.Context(), "t", &history.Entry{Event: "e", Boot: "b", Number: number}, &history.AppendOptions{Keep: few})
		if err != nil || p.Doubled {
			t.Errorf("without what tidies up: %+v, %v", p, err)
		}
	}
	if log.count("reason=history_cleaning") == 0 {
		t.Errorf("the log is %q", log.text.String())
	}
	if _, err := st.Heads(t.Context(), []string{"t"}); err != nil {
		t.Error(err)
	}
	acl("-hmget")
	if _, err := st.Heads(t.Context(), []string{"t"}); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("Heads without hmget: %v; a log must not seem to be gone", err)
	}
}

// told is an error that the server has sent.
type told string

func (e told) Error() string { return string(e) }
func (told) RedisError()     {}

// The error about an unknown command quotes the command; payloads are cut away.
func TestErrorsHoldNoPayload(t *testing.T) {
	t.Parallel()
	r := &router{target: &redisconn.Target{}, prefix: "bennu"}
	err := r.explain("h:1", told("ERR unknown command 'evalsha', with args beginning with: '9f' '2' '{bennu.h.t}m' 'said' '{\"password\":\"canary\"}' "))
	if strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "evalsha") {
		t.Error(err)
	}
}

// What does not fit into a description is refused.
func TestBoundsOfEntries(t *testing.T) {
	t.Parallel()
	_, st, _ := logged(t)
	for name, e := range map[string]*history.Entry{
		"event":  {Event: strings.Repeat("e", maxEvent+1)},
		"boot":   {Event: "e", Boot: strings.Repeat("b", maxName+1)},
		"from":   {Event: "e", From: strings.Repeat("f", maxName+1)},
		"number": {Event: "e", Boot: "b", Number: 1 << 53},
	} {
		if _, err := st.Append(t.Context(), "t", e, &history.AppendOptions{Keep: plenty}); !errors.Is(err, history.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	longest := &history.Entry{Event: strings.Repeat("e", maxEvent), Boot: strings.Repeat("b", maxName), From: strings.Repeat("f", maxName), Number: 1<<53 - 1}
	place, err := st.Append(t.Context(), "t", longest, &history.AppendOptions{Keep: plenty, Key: strings.Repeat("\x00{}\xff", 32)})
	if err != nil {
		t.Fatal(err)
	}
	p := read(t, st, "t", 0)
	if len(p.Entries) != 1 || p.Entries[0].Place != place || p.Entries[0].Event != longest.Event || p.Entries[0].Boot != longest.Boot ||
		p.Entries[0].From != longest.From || p.Entries[0].Number != longest.Number {
		t.Errorf("the longest entry is read as %+v", p)
	}
}

// No two topics or keys have the same names in Redis, whatever bytes they have.
func TestOddTopics(t *testing.T) {
	t.Parallel()
	_, st, _ := logged(t)
	topics := []string{"", "a", "A", "a}", "a}s", "a}kx", "{a}", "a=", "a=7D", "=7D", "=3D7D", "a.b", "*", ">", " ", "\x00", "\xff", "é", "h.x", strings.Repeat("t", 4096), strings.Repeat("}", 4096)}
	want := make(map[string]history.Place)
	for i, topic := range topics {
		p, err := st.Append(t.Context(), topic, &history.Entry{Event: "e", Payload: fmt.Append(nil, i), Binary: true, Boot: "b", Number: 1}, &history.AppendOptions{Keep: plenty, Key: "k"})
		if err != nil || p.Doubled || p.Prev != 0 {
			t.Fatalf("%.20q: %+v, %v", topic, p, err)
		}
		want[topic] = p
	}
	heads, err := st.Heads(t.Context(), topics)
	if err != nil {
		t.Fatal(err)
	}
	for i, topic := range topics {
		if p := read(t, st, topic, 0); len(p.Entries) != 1 || string(p.Entries[0].Payload) != fmt.Sprint(i) || heads[i].Offset != want[topic].Offset {
			t.Errorf("%.20q: %+v", topic, p)
		}
	}
}

package redishistory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/redistest"
)

// single runs one server with a store.
func single(t testing.TB) (*redistest.Server, history.Store) {
	t.Helper()
	s := redistest.Start(t)
	return s, start(t, Options{Addrs: []string{s.Addr}})
}

// Evicting the stream leaves the head known, and evicting the hash begins a new epoch. Nothing of an old
// log is taken for one of the new.
func TestEviction(t *testing.T) {
	t.Parallel()
	s, st := single(t)
	first, second := add(t, st, "t", 1), add(t, st, "t", 2)
	s.Do(t, "DEL", "{bennu.h.t}s")
	if p := read(t, st, "t", second.Offset); !p.Known || p.Oldest != second.Offset || len(p.Entries) > 0 {
		t.Errorf("the head without a stream: %+v", p)
	}
	if p := read(t, st, "t", first.Offset); p.Known {
		t.Errorf("an entry without a stream: %+v", p)
	}
	third := add(t, st, "t", 3)
	if third.Prev != second.Offset || third.Epoch != first.Epoch {
		t.Errorf("%+v after %+v", third, second)
	}
	s.Do(t, "DEL", "{bennu.h.t}m")
	if h := headOf(t, st, "t"); h != (history.Head{}) {
		t.Errorf("the head without a hash: %+v", h)
	}
	if p := read(t, st, "t", 0); !p.Known || len(p.Entries) > 0 {
		t.Errorf("the place 0 without a hash: %+v", p)
	}
	fourth := add(t, st, "t", 1)
	if fourth.Epoch == first.Epoch || fourth.Prev != 0 {
		t.Errorf("the first entry of a new log: %+v", fourth)
	}
	if p := read(t, st, "t", 0); len(p.Entries) != 1 {
		t.Errorf("%d entries of a new log, want 1", len(p.Entries))
	}
}

// Data of strangers breaks neither the store nor the chain.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s, st := single(t)
	add(t, st, "t", 1)
	s.Do(t, "XADD", "{bennu.h.t}s", "99999999-0", "m", "x", "d", "y")
	second := add(t, st, "t", 2)
	if p := read(t, st, "t", second.Prev); !p.Known || len(p.Entries) != 1 || p.Entries[0].Place != second {
		t.Errorf("after an entry of a stranger: %+v, want %+v", p, second)
	}
	s.Do(t, "SET", "{bennu.h.u}m", "x")
	if _, err := tryAdd(st, "u", "b", 1); !errors.Is(err, history.ErrUnavailable) || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("a hash that is a string: %v", err)
	}
	s.Do(t, "HSET", "{bennu.h.v}m", "e", "aaaaaaaa", "h", "5", "n", "1", "c", "0")
	s.Do(t, "XADD", "{bennu.h.v}s", "5-0", "m", "\x00\x05\x00\x00\x00\x00\x01"+strings.Repeat("\x00", 12)+"\x02\xff\x00\x01x", "d", "y")
	ctx, cancel := context.WithTimeout(t.Context(), redistest.Patience)
	defer cancel()
	if p, err := st.Read(ctx, "v", 0, &history.ReadOptions{Keep: plenty, Newest: true, Entries: 1, Bytes: 1}); err == nil && len(p.Entries) > 0 {
		t.Errorf("an entry that is none was read: %+v", p)
	}
}

// Logs expire 10 times Age after the last use, and at least a day; Heads is a use.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s, st := single(t)
	lives := func(key string, least time.Duration) {
		t.Helper()
		ms, _ := strconv.ParseInt(s.Do(t, "PTTL", key), 10, 64)
		if life := time.Duration(ms) * time.Millisecond; life < least-time.Minute || life > 2*least {
			t.Errorf("%s lives %v, want %v at least", key, life, least)
		}
	}
	for topic, c := range map[string]struct{ age, least time.Duration }{"short": {time.Minute, 24 * time.Hour}, "long": {24 * time.Hour, 240 * time.Hour}} {
		m, stream := "{bennu.h."+topic+"}m", "{bennu.h."+topic+"}s"
		keep := plenty
		keep.Age = c.age
		for n, use := range []func(){
			func() {},
			func() { headOf(t, st, topic) },
			func() {
				if _, err := st.Append(t.Context(), topic, &history.Entry{Event: "e", Boot: "c", Number: 1}, &history.AppendOptions{Keep: keep}); err != nil {
					t.Error(err)
				}
			},
			func() {
				if err := st.Rotate(t.Context(), topic, headOf(t, st, topic).Epoch); err != nil {
					t.Error(err)
				}
				s.Do(t, "SET", stream, "x", "PX", "60000")
				headOf(t, st, topic)
			},
		} {
			if n == 0 {
				if _, err := st.Append(t.Context(), topic, &history.Entry{Event: "e", Boot: "b", Number: 1}, &history.AppendOptions{Keep: keep}); err != nil {
					t.Fatal(err)
				}
			} else if n < 3 {
				s.Do(t, "PEXPIRE", m, "60000")
				s.Do(t, "PEXPIRE", stream, "60000")
			}
			use()
			lives(m, c.least)
			if n < 3 {
				lives(stream, c.least)
			}
		}
	}
	if _, err := st.Append(t.Context(), "k", &history.Entry{Event: "e", Boot: "b", Number: 1}, &history.AppendOptions{Keep: plenty, Key: "order"}); err != nil {
		t.Fatal(err)
	}
	lives("{bennu.h.k}korder", history.KeyTime)
}

// The numbers of 64 boots are kept. Those that published last stay.
func TestBoots(t *testing.T) {
	t.Parallel()
	s, st := single(t)
	for round := range uint64(2) {
		for i := range 100 {
			if i == 50 { // this one publishes again and again
				for j := range uint64(5) {
					if _, err := tryAdd(st, "t", "steady", 10*round+j+1); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := tryAdd(st, "t", fmt.Sprint("boot", round, " ", i), 1); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.Do(t, "HLEN", "{bennu.h.t}m"); n != "70" {
			t.Errorf("the hash has %s fields, want 70", n)
		}
	}
	for _, boot := range []string{"boot1 99", "boot1 60", "steady"} {
		if p, err := tryAdd(st, "t", boot, 1); err == nil && !p.Doubled || err != nil && !errors.Is(err, history.ErrUnknown) {
			t.Errorf("number 1 of %q: %+v, %v", boot, p, err)
		}
	}
}

// A log of very many old entries is trimmed little by little, and read as it should be meanwhile.
func TestLongTrim(t *testing.T) {
	t.Parallel()
	s, st := single(t)
	for n := range uint64(3_000) {
		if _, err := tryAdd(st, "t", "b", n+1); err != nil {
			t.Fatal(err)
		}
	}
	few := history.Keep{Size: 5, Bytes: 1 << 20, Age: time.Hour}
	for n := range uint64(64) {
		p, err := st.Append(t.Context(), "t", &history.Entry{Event: "e", Boot: "b", Number: 3_001 + n}, &history.AppendOptions{Keep: few})
		if err != nil {
			t.Fatal(err)
		}
		got, err := st.Read(t.Context(), "t", 0, &history.ReadOptions{Keep: few, Newest: true, Entries: 10, Bytes: 1 << 20})
		if err != nil || len(got.Entries) != 5 || got.Head.Offset != p.Offset || got.More {
			t.Fatalf("%d entries, %+v, %v", len(got.Entries), got, err)
		}
	}
	if n, _ := strconv.Atoi(s.Do(t, "XLEN", "{bennu.h.t}s")); n > 25 {
		t.Errorf("%d entries are left in Redis, want about 5", n)
	}
}

// Large payloads are read as many as fit.
func TestLargePayloads(t *testing.T) {
	t.Parallel()
	_, st := single(t)
	payload := bytes.Repeat([]byte("x"), 1<<20)
	for n := range uint64(20) {
		if _, err := st.Append(t.Context(), "t", &history.Entry{Event: "e", Payload: payload, Binary: true, Boot: "b", Number: n + 1}, &history.AppendOptions{Keep: plenty}); err != nil {
			t.Fatal(err)
		}
	}
	p, err := st.Read(t.Context(), "t", 0, &history.ReadOptions{Keep: plenty, Entries: 1_000, Bytes: 5 << 20})
	if err != nil || len(p.Entries) != 5 || !p.More {
		t.Errorf("%d entries of 1 MiB in 5 MiB, more %t, %v", len(p.Entries), p.More, err)
	}
}

// Scripts that the server has forgotten are sent again, and one that lacks memory says so.
func TestScriptFlush(t *testing.T) {
	t.Parallel()
	s, st := single(t)
	for n := range uint64(5) {
		s.Do(t, "SCRIPT", "FLUSH")
		if p := add(t, st, "t", n+1); p.Doubled {
			t.Errorf("number %d: %+v", n+1, p)
		}
	}
	s.Do(t, "CONFIG", "SET", "maxmemory", "1")
	for topic := range 3 {
		_, err := tryAdd(st, fmt.Sprint("new", topic), "b", 1)
		if !errors.Is(err, history.ErrUnavailable) || !strings.Contains(err.Error(), "no memory left") {
			t.Errorf("without memory: %v", err)
		}
	}
	if p := read(t, st, "t", 0); len(p.Entries) != 5 {
		t.Errorf("%d entries without memory, want 5", len(p.Entries))
	}
	headOf(t, st, "t")
	if err := st.Rotate(t.Context(), "fresh", ""); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("Rotate without memory: %v", err)
	}
	s.Do(t, "CONFIG", "SET", "maxmemory", "0")
	add(t, st, "new0", 1)
}

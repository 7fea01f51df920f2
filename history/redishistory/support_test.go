package redishistory

import (
	"context"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) {
	redisconn.CallTimeout = patient
	waittest.Heavy(m, waittest.Brokers, 8)
}

// patient is a timeout for tests that must not fail if the machine is busy for some seconds.
const patient = 30 * time.Second

// plenty keeps everything that a test appends.
var plenty = history.Keep{Size: 100_000, Bytes: 1 << 30, Age: time.Hour}

// start makes a store that is closed at the end of the test.
func start(t testing.TB, o Options) history.Store {
	t.Helper()
	s, err := tryStart(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), redistest.Patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func tryStart(o Options) (history.Store, error) {
	if o.DialTimeout == 0 {
		o.DialTimeout = patient
	}
	ctx, cancel := context.WithTimeout(context.Background(), redistest.Patience)
	defer cancel()
	return New(ctx, &o)
}

// add appends the entry of a number of the boot "b".
func add(t testing.TB, s history.Store, topic string, number uint64) history.Place {
	t.Helper()
	p, err := tryAdd(s, topic, "b", number)
	if err != nil {
		t.Fatalf("Append of number %d: %v", number, err)
	}
	return p
}

func tryAdd(s history.Store, topic, boot string, number uint64) (history.Place, error) {
	ctx, cancel := context.WithTimeout(context.Background(), redistest.Patience)
	defer cancel()
	return s.Append(ctx, topic, &history.Entry{Event: "e", Payload: []byte("{}"), Boot: boot, Number: number}, &history.AppendOptions{Keep: plenty})
}

// read reads the entries after an offset.
func read(t testing.TB, s history.Store, topic string, after uint64) history.Piece {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), redistest.Patience)
	defer cancel()
	p, err := s.Read(ctx, topic, after, &history.ReadOptions{Keep: plenty, Entries: 1_000, Bytes: 1 << 20})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return p
}

func headOf(t testing.TB, s history.Store, topic string) history.Head {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), redistest.Patience)
	defer cancel()
	heads, err := s.Heads(ctx, []string{topic})
	if err != nil {
		t.Fatalf("Heads: %v", err)
	}
	return heads[0]
}

package natshistory

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/waittest"
)

var plenty = history.Keep{Size: 100_000, Bytes: 1 << 30, Age: time.Hour}

// entry returns an entry with a small payload.
func entry(boot string, number uint64) *history.Entry {
	return &history.Entry{Event: "e", Payload: []byte("{}"), Boot: boot, Number: number}
}

func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), waittest.Patience)
	t.Cleanup(cancel)
	return ctx
}

func put(t testing.TB, s *store, topic string, e *history.Entry) history.Place {
	t.Helper()
	p, err := s.Append(patient(t), topic, e, &history.AppendOptions{Keep: plenty})
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return p
}

func read(t testing.TB, s *store, topic string, after uint64) history.Piece {
	t.Helper()
	p, err := s.Read(patient(t), topic, after, &history.ReadOptions{Keep: plenty, Entries: 100_000, Bytes: 1 << 30})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return p
}

func head(t testing.TB, s *store, topic string) history.Head {
	t.Helper()
	list, err := s.Heads(patient(t), []string{topic})
	if err != nil {
		t.Fatalf("Heads: %v", err)
	}
	return list[0]
}

// TestServersRestart stops and starts each of three servers while nodes publish. No append fails, and
// none is doubled.
func TestServersRestart(t *testing.T) {
	t.Parallel()
	servers := clusterOf(t, 3)
	const nodes = 3
	stores := make([]*store, nodes)
	for i := range stores {
		stores[i] = open(t, urls(servers), func(o *Options) { o.Replicas = 3 })
	}
	var all sync.WaitGroup
	stop := make(chan struct{})
	places := make([][]history.Place, nodes)
	for i, s := range stores {
		all.Go(func() {
			for n := uint64(1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				p, err := s.Append(patient(t), "t", entry(fmt.Sprint(i), n), &history.AppendOptions{Keep: plenty})
				if err != nil || p.Doubled {
					t.Errorf("Append: %+v, %v", p, err)
					return
				}
				places[i] = append(places[i], p)
			}
		})
	}
	for round := range waittest.Sized(3, 30) {
		b := servers[round%3]
		b.stop()
		before := head(t, stores[0], "t")
		waittest.Until(t, "two servers go on", func() bool { return head(t, stores[0], "t").Offset > before.Offset })
		b.start()
		waittest.Until(t, "the third one is back", func() bool { return current(b) })
	}
	close(stop)
	all.Wait()
	told := make(map[uint64]string)
	for i := range places {
		for n, p := range places[i] {
			told[p.Offset] = fmt.Sprint(i, " ", n+1)
		}
	}
	prev := uint64(0)
	got := read(t, stores[1], "t", 0)
	for _, e := range got.Entries {
		if e.Prev != prev || told[e.Offset] != fmt.Sprint(e.Boot, " ", e.Number) {
			t.Fatalf("number %d of %s is at %+v after %d, and Append has told %q", e.Number, e.Boot, e.Place, prev, told[e.Offset])
		}
		prev = e.Offset
	}
	if len(got.Entries) != len(told) {
		t.Errorf("%d entries, want %d", len(got.Entries), len(told))
	}
	t.Logf("%d entries", len(told))
}

// current reports whether a server that was started again has the stream.
func current(b *broker) bool {
	return b.running.JetStreamIsCurrent() && b.running.JetStreamIsStreamCurrent("$G", "bennu_history")
}

// copyDir copies the files of a stopped server.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestTailLost has a server that comes back with an older state, and takes other messages at the same
// sequences. The places of the lost ones are not known.
func TestTailLost(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	s := open(t, b.url(), nil)
	kept := put(t, s, "t", entry("a", 1))
	b.stop()
	old := copyDir(t, b.options.StoreDir)
	b.start()
	var lost []history.Place
	for n := uint64(2); n < 12; n++ {
		lost = append(lost, put(t, s, "t", entry("a", n)))
	}
	b.stop()
	b.options.StoreDir = old
	b.start()
	other := open(t, b.url(), nil)
	for n := range uint64(10) {
		if p := put(t, other, "t", entry("b", n+1)); p.Epoch != kept.Epoch {
			t.Fatalf("epoch %q, want %q as before", p.Epoch, kept.Epoch)
		}
	}
	for _, p := range lost {
		if got := read(t, s, "t", p.Offset); got.Known {
			t.Errorf("place %+v is known, and its message was lost", p)
		}
	}
	if got := read(t, s, "t", kept.Offset); !got.Known || len(got.Entries) != 10 {
		t.Errorf("%d entries after the one that was not lost, known %t, want 10", len(got.Entries), got.Known)
	}
	if p := put(t, s, "t", entry("a", 12)); p.Prev != head(t, other, "t").Offset && head(t, other, "t").Offset != p.Offset {
		t.Errorf("the next entry is at %+v", p)
	}
}

// TestServerReplaced has a server that comes back empty. The store makes the stream again, and topics
// begin new epochs.
func TestServerReplaced(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	s := open(t, b.url(), nil)
	before := put(t, s, "t", entry("a", 1))
	reader := open(t, b.url(), nil)
	b.stop()
	b.options.StoreDir = t.TempDir()
	b.start()
	if h := head(t, reader, "t"); h != (history.Head{}) {
		t.Errorf("the head is %+v, want none", h)
	}
	if got := read(t, reader, "t", before.Offset); got.Known {
		t.Errorf("place %+v is known to an empty server", before)
	}
	after := put(t, s, "t", entry("a", 2))
	if after.Epoch == before.Epoch || after.Prev != 0 {
		t.Errorf("%+v after %+v of another stream", after, before)
	}
	if got := read(t, reader, "t", 0); len(got.Entries) != 1 || got.Entries[0].Place != after {
		t.Errorf("the log is %+v", got)
	}
}

// TestServerAway has calls while no server runs. They end with their contexts.
func TestServerAway(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	s := open(t, b.url(), nil)
	put(t, s, "t", entry("a", 1))
	b.stop()
	waittest.Until(t, "the node has noticed", func() bool { return !s.link.conn.IsConnected() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Append(ctx, "t", entry("a", 2), &history.AppendOptions{Keep: plenty})
	if !errors.Is(err, history.ErrUnavailable) || errors.Is(err, history.ErrUnknown) {
		t.Errorf("Append: %v, want ErrUnavailable", err)
	}
	if _, err := s.Heads(ctx, []string{"t"}); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("Heads: %v, want ErrUnavailable", err)
	}
	done := make(chan history.Place, 1)
	go func() {
		p, err := s.Append(patient(t), "t", entry("a", 3), &history.AppendOptions{Keep: plenty})
		if err != nil {
			t.Errorf("Append: %v", err)
		}
		done <- p
	}()
	b.start()
	if p := waittest.Next(t, "the append that has waited", done); p.Doubled || p.Prev == 0 {
		t.Errorf("%+v", p)
	}
}

// TestClose closes a store while appends wait for a server that does not run.
func TestClose(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	s := open(t, b.url(), nil)
	put(t, s, "t", entry("a", 1))
	b.stop()
	errs := make(chan error, 4)
	for i := range cap(errs) {
		go func() {
			_, err := s.Append(patient(t), fmt.Sprint(i), entry("a", 1), &history.AppendOptions{Keep: plenty})
			errs <- err
		}()
	}
	waittest.Until(t, "the appends wait", func() bool {
		s.topics.mu.Lock()
		defer s.topics.mu.Unlock()
		return len(s.topics.have) == 1+cap(errs)
	})
	closeStore(t, s)
	for range cap(errs) {
		if err := waittest.Next(t, "an append ends", errs); !errors.Is(err, history.ErrUnavailable) && !errors.Is(err, history.ErrUnknown) {
			t.Errorf("Append: %v", err)
		}
	}
}

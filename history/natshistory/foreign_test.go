package natshistory

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
)

// text is a log that may be read while it is written.
type text struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (l *text) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.data.Write(p)
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.data.String()
}

// TestForeignMessage publishes a message of others behind the entries of a topic: the next entry begins an
// epoch, and a line says why.
func TestForeignMessage(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	var log text
	s := open(t, b.url(), func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	first := put(t, s, "t", entry("a", 1))
	conn, err := nats.Connect(b.url())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Request(logSubject(s.Prefix, "t"), []byte("password=hunter2"), answerTime); err != nil {
		t.Fatal(err)
	}
	second := put(t, s, "t", entry("a", 2))
	if second.Epoch == first.Epoch || second.Prev != 0 {
		t.Errorf("%+v behind a message of others, before which %+v was: want a new epoch", second, first)
	}
	if third := put(t, s, "t", entry("a", 3)); third.Epoch != second.Epoch || third.Prev != second.Offset {
		t.Errorf("%+v behind %+v", third, second)
	}
	if got := log.String(); strings.Count(got, "reason=history_foreign") != 1 || strings.Contains(got, "hunter2") {
		t.Errorf("the log is %q; want one line with the reason history_foreign, without the message", got)
	}
}

// TestCleaningFails has a round of the janitor that cannot ask NATS.
func TestCleaningFails(t *testing.T) {
	t.Parallel()
	var log text
	s := open(t, startBroker(t, nil).url(), func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	over, cancel := context.WithCancel(t.Context())
	cancel()
	s.cleanNow(over)
	if got := log.String(); strings.Count(got, "reason=history_cleaning") != 1 {
		t.Errorf("the log is %q; want a line with the reason history_cleaning", got)
	}
}

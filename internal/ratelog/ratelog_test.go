package ratelog

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestLogHoldsBackAndTells(t *testing.T) {
	var out bytes.Buffer
	l := New(slog.New(slog.NewTextHandler(&out, nil)))
	now := time.Unix(0, 0)
	l.now = func() time.Time { return now }

	for range 1000 {
		l.Log(slog.LevelError, "it broke")
	}
	l.Log(slog.LevelError, "another thing")
	if n := strings.Count(out.String(), "it broke"); n != Lines {
		t.Fatalf("%d lines in the first second, want %d", n, Lines)
	}
	if !strings.Contains(out.String(), "another thing") {
		t.Fatal("one message held back another")
	}
	if n := l.Suppressed(); n != 900 {
		t.Fatalf("Suppressed = %d, want 900", n)
	}

	now = now.Add(time.Second)
	out.Reset()
	l.Log(slog.LevelError, "it broke")
	if !strings.Contains(out.String(), "suppressed=900") {
		t.Fatalf("the next line does not tell what was held back: %s", out.String())
	}
}

func TestLogBelowLevelCountsNothing(t *testing.T) {
	var out bytes.Buffer
	l := New(slog.New(slog.NewTextHandler(&out, nil)))
	for range 1000 {
		l.Log(slog.LevelDebug, "quiet")
	}
	if out.Len() != 0 || l.Suppressed() != 0 {
		t.Fatal("a disabled level was written or counted")
	}
}

// Messages that are not constants take neither the memory nor the log.
func TestLogOfManyMessages(t *testing.T) {
	var out bytes.Buffer
	l := New(slog.New(slog.NewTextHandler(&out, nil)))
	now := time.Unix(0, 0)
	l.now = func() time.Time { return now }
	for i := range 10 * maxMessages {
		l.Log(slog.LevelError, fmt.Sprint("from client ", i))
	}
	if n := strings.Count(out.String(), "from client"); n != maxMessages+Lines || len(l.windows) != maxMessages+1 {
		t.Errorf("%d lines, want %d; %d messages are counted", n, maxMessages+Lines, len(l.windows))
	}
	if n := l.Suppressed(); n != 9*maxMessages-Lines {
		t.Errorf("Suppressed = %d, want %d", n, 9*maxMessages-Lines)
	}
	now = now.Add(time.Second)
	out.Reset()
	l.Log(slog.LevelError, "it broke")
	if !strings.Contains(out.String(), "it broke") || len(l.windows) != 2 {
		t.Errorf("old messages are still counted: %d; %s", len(l.windows), &out)
	}
}

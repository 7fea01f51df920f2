package ratelog

import (
	"bytes"
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

package ratelog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := New(slog.New(slog.NewTextHandler(&out, nil)))
		others := slog.New(l.Handler()).With("part", "x").WithGroup("g")
		for range 2 * Lines {
			others.Info("again", "n", 1)
		}
		l.Log(slog.LevelInfo, "again")
		if n := strings.Count(out.String(), "msg=again part=x g.n=1\n"); n != Lines {
			t.Errorf("%d lines passed, want %d", n, Lines)
		}
		time.Sleep(time.Second) // of the bubble's clock
		others.Info("again")
		if !strings.HasSuffix(out.String(), "msg=again part=x g.suppressed=101\n") {
			t.Errorf("the last line does not tell of the others: %s", out.String()[out.Len()-80:])
		}
	})
}

// panics is a handler of the program's that fails.
type panics struct{ slog.Handler }

func (panics) Enabled(context.Context, slog.Level) bool { panic("as asked") }

func TestHandlerThatPanics(t *testing.T) {
	slog.New(New(slog.New(panics{slog.DiscardHandler})).Handler()).Info("again")
}

// TestHandlerOf limits lines together that have different messages.
func TestHandlerOf(t *testing.T) {
	var out bytes.Buffer
	l := New(slog.New(slog.NewTextHandler(&out, nil)))
	l.now = func() time.Time { return time.Unix(0, 0) }
	others := slog.New(l.HandlerOf("others")).With("part", "x")
	for i := range 2 * Lines {
		others.Info(fmt.Sprint("line ", i))
	}
	if n := strings.Count(out.String(), "part=x"); n != Lines || len(l.windows) != 1 {
		t.Errorf("%d lines passed, %d messages are known", n, len(l.windows))
	}
}

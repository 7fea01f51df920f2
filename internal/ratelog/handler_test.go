package ratelog

import (
	"bytes"
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

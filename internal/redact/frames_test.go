package redact

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	const stack = `goroutine 7 [running]:
runtime/debug.Stack()
	/go/src/runtime/debug/stack.go:26 +0x64
example.com/a.recovered(0x1)
	/a/b.go:1 +0x1
panic({0x1, 0x2})
	/go/src/runtime/panic.go:792 +0x132
example.com/a.(*room).shout(0xc000012345, {0x1, 0x2})
	/a/room.go:42 +0x1d
example.com/a.On[...].func1({0x1?, 0x2})
	/a/define.go:9 +0x2
created by example.com/a.Start in goroutine 1
	/a/start.go:3 +0x3
`
	want := []string{
		"example.com/a.(*room).shout /a/room.go:42", "example.com/a.On[...].func1 /a/define.go:9",
		"created by example.com/a.Start in goroutine 1 /a/start.go:3",
	}
	if got := Frames(stack); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	waits := "goroutine 9 [chan receive, 2 minutes]:\nexample.com/a.f(0x1)\n\t/a/b.go:1 +0x1\n\n" + stack
	if got := Frames(waits); len(got) < 2 || got[0] != "goroutine 9 [chan receive, 2 minutes]" {
		t.Errorf("got %q", got)
	}
	for _, odd := range []string{"", "\n", "no stack", "f(", "\tx", "panic(", strings.Repeat("f()\n", 1000)} {
		if got := Frames(odd); len(got) > maxFrames+1 {
			t.Errorf("%d frames", len(got))
		}
	}
}

// TestStackIsReadable logs a stack through the handler, as text and as JSON: nothing of it is
// escaped, and JSON has a list.
func TestStackIsReadable(t *testing.T) {
	var text, js bytes.Buffer
	frames := Frames(string(debug.Stack()))
	slog.New(NewHandler(slog.NewTextHandler(&text, nil))).Error("x", "stack", frames)
	slog.New(NewHandler(slog.NewJSONHandler(&js, nil))).Error("x", "stack", frames)
	if out := text.String(); strings.Contains(out, `\n`) || strings.Contains(out, `\t`) || strings.Contains(out, `\\`) || !strings.Contains(out, "frames_test.go:") {
		t.Errorf("text: %s", out)
	}
	var line struct{ Stack []string }
	if err := json.Unmarshal(js.Bytes(), &line); err != nil || !slices.Equal(line.Stack, frames) {
		t.Errorf("JSON: %v: %s", err, js.String())
	}
}

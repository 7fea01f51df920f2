package redact

import (
	"log/slog"
	"runtime/debug"
	"strings"
)

// StackAttr is the stack of the goroutine that calls it, as an attribute that a log shows one
// call a line, or as a list.
func StackAttr() slog.Attr { return slog.Any("stack", Frames(string(debug.Stack()))) }

// maxFrames bounds the entries that Frames returns.
const maxFrames = 64

// Frames makes a list of a stack trace as runtime/debug prints it, one entry for each call as
// "function file:line", so that a log shows it without escapes. The calls between
// a panic and its recovery are left out, and so are arguments. The line of a goroutine stays if it
// says for what the goroutine waits.
func Frames(stack string) []string {
	var frames []string
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	begin, recovered := 0, false // of the goroutine, and whether its panic was met
	for i, line := range lines {
		switch {
		case len(frames) == maxFrames:
			return append(frames, "(more)")
		case strings.HasPrefix(line, "goroutine "):
			if !strings.HasSuffix(line, "[running]:") { // which is who asks for its own
				frames = append(frames, strings.TrimSuffix(line, ":"))
			}
			begin, recovered = len(frames), false
		case strings.HasPrefix(line, "\t") || line == "":
		case strings.HasPrefix(line, "panic(") && !recovered:
			frames, recovered = frames[:begin], true // what is above is who recovered it
		default:
			frames = append(frames, frame(line, lines[i+1:]))
		}
	}
	return frames
}

// frame is one call: its function, and the place that the next line has.
func frame(call string, below []string) string {
	if end := strings.LastIndexByte(call, '('); end > 0 && strings.HasSuffix(call, ")") {
		call = call[:end]
	}
	if len(below) == 0 || !strings.HasPrefix(below[0], "\t") {
		return call
	}
	place, _, _ := strings.Cut(strings.TrimSpace(below[0]), " +0x")
	return call + " " + place
}

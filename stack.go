package bennu

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"

	"github.com/bennu-go/bennu/internal/redact"
)

// stackOf is the stack of the callback of a *Channel, *connecting or *renewal, as a log value. It
// is taken only if its line is really written, because taking it stops the whole program for a
// moment.
type stackOf struct{ of any }

// LogValue implements slog.LogValuer.
func (s stackOf) LogValue() slog.Value { return slog.AnyValue(redact.Frames(handlerStacks(s.of))) }

// callbackFrames matches the stack of a goroutine that runs a callback. Its names are those of the
// types whose methods call the program.
var callbackFrames = regexp.MustCompile(`bennu\.\(\*(Channel|executor|joinCall|connecting|renewal)\)\.`)

// handlerStacks returns the stack of the goroutine that runs the callback. Go has no call for that,
// so it is found among all stacks by the address of the value. If no stack shows the address, those
// of all callbacks are returned.
func handlerStacks(of any) string {
	// 1 MiB holds the stacks of some thousand goroutines; those beyond it are not searched.
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	address := []byte(fmt.Sprintf("%p", of))
	_, buf, _ = bytes.Cut(buf, []byte("\n\n")) // the first stack is that of this goroutine
	var mine, all []byte
	for stack := range bytes.SplitSeq(buf, []byte("\n\n")) {
		if !callbackFrames.Match(stack) {
			continue
		}
		all = append(append(all, stack...), '\n')
		if bytes.Contains(stack, address) {
			mine = append(append(mine, stack...), '\n')
		}
	}
	if mine == nil {
		mine = all
	}
	return string(mine[:min(len(mine), maxStack)])
}

// maxStack bounds the bytes of a stack in the log.
const maxStack = 8 << 10

package bennu

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"strconv"
	"sync"

	"github.com/bennu-go/bennu/internal/redact"
)

// lingering is the channels that have ended while a callback of theirs still runs, and the
// renewals that have outlived their connections, with their topics: those Shutdown waits for,
// and can name.
type lingering struct {
	mu  sync.Mutex
	set map[any]string // by *Channel or *renewal
}

func (l *lingering) add(who any, topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.set == nil {
		l.set = make(map[any]string)
	}
	l.set[who] = topic
}

func (l *lingering) remove(who any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.set, who)
}

func (l *lingering) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.set)
}

// topics names up to n of them, quoted: a client chose the names.
func (l *lingering) topics(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, topic := range l.set {
		if len(names) == n {
			return append(names, fmt.Sprintf("and %d more", len(l.set)-n))
		}
		names = append(names, strconv.Quote(topic))
	}
	return names
}

// stackOf takes the stack of a callback when its line is really written: that stops the whole
// program for a moment. It is that of a *Channel, a *connecting or a *renewal.
type stackOf struct{ of any }

// LogValue implements slog.LogValuer.
func (s stackOf) LogValue() slog.Value { return slog.AnyValue(redact.Frames(handlerStacks(s.of))) }

// callbackFrames finds the stacks of callbacks.
var callbackFrames = regexp.MustCompile(`bennu\.\(\*(Channel|executor|joinCall|connecting|renewal)\)\.`)

// handlerStacks is the stack of the goroutine that runs a callback of a *Channel, *connecting
// or *renewal. Go has no call for that, so it is found in the stacks of all by the address;
// when that is not shown, the stacks of all callbacks are given.
func handlerStacks(of any) string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	address := []byte(fmt.Sprintf("%p", of))
	_, buf, _ = bytes.Cut(buf, []byte("\n\n")) // the first is who asks
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

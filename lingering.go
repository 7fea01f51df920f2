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

// lingering is the set of channels that have ended while a callback of theirs still runs, and of
// renewals that have outlived their connection. Shutdown waits for them and can name their topics.
type lingering struct {
	mu  sync.Mutex
	set map[any]string // the topic, by *Channel or *renewal
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

// topics returns the topics of up to n of them, quoted since a client chose them.
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

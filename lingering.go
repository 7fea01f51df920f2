package bennu

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"sync"
)

// channelSet is the channels that have ended while a callback of theirs still
// runs: those Shutdown waits for, and can name.
type channelSet struct {
	mu  sync.Mutex
	set map[*Channel]struct{}
}

func (l *channelSet) add(c *Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.set == nil {
		l.set = make(map[*Channel]struct{})
	}
	l.set[c] = struct{}{}
}

func (l *channelSet) remove(c *Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.set, c)
}

// topics names up to n of them, quoted: a client chose the names.
func (l *channelSet) topics(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for c := range l.set {
		if len(names) == n {
			return append(names, fmt.Sprintf("and %d more", len(l.set)-n))
		}
		names = append(names, strconv.Quote(c.topic))
	}
	return names
}

// handlerStacks is the stack of the goroutine that runs c's callback. Go has no
// call for that, so it is found in the stacks of all by the address of the
// channel; when that is not shown, the stacks of all channels are given.
func handlerStacks(c *Channel) string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	address := []byte(fmt.Sprintf("%p", c))
	_, buf, _ = bytes.Cut(buf, []byte("\n\n")) // the first is who asks
	var mine, all []byte
	for stack := range bytes.SplitSeq(buf, []byte("\n\n")) {
		if !bytes.Contains(stack, []byte("bennu.(*Channel).")) && !bytes.Contains(stack, []byte("bennu.(*joinCall).")) {
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

package redishistory

import (
	"context"
	"sync/atomic"
)

// call is one run of a script. Its caller owns it until it is in the queue of a lane, and again when done
// is closed.
type call struct {
	script *script
	slot   int  // of its keys
	reads  bool // it goes by the connection for reading, which long answers may occupy
	keys   []string
	args   []any

	asking bool // the server has the slot only for calls that say so
	size   int  // about, in bytes
	state  atomic.Int32
	done   chan struct{} // closed when reply and err are set
	reply  []any
	err    error // of the server or the connection, not explained
	sent   bool  // the server may have run the script
	addr   string
}

// The states of a call: from waiting it becomes either taken, by its lane, or left, by its caller.
const (
	waiting = iota
	taken
	left
)

// renew makes the call ready to be sent again. No lane may have it: each has closed done, or the caller
// has left.
func (c *call) renew() {
	c.state.Store(waiting)
	c.done = make(chan struct{})
	c.reply, c.err, c.sent = nil, nil, false
}

// finish ends the call. sent says that the server may have run the script.
func (c *call) finish(err error, sent bool) {
	c.err, c.sent = err, sent
	close(c.done)
}

// await waits until the call was made. If ctx ends first, the call is left, and the error says whether the
// server may have run it.
func (c *call) await(ctx context.Context, gone <-chan struct{}) error {
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		if c.state.CompareAndSwap(waiting, left) {
			return ended(ctx)
		}
		return unknown(context.Cause(ctx))
	case <-gone:
		if c.state.CompareAndSwap(waiting, left) {
			return unavailable(errGone)
		}
		<-c.done // the lane has finished all that it has taken
		return nil
	}
}

// command returns the words of the command: EVAL with the text of the script, or EVALSHA with its name.
func (c *call) command(text bool) []any {
	words := make([]any, 0, 3+len(c.keys)+len(c.args))
	if text {
		words = append(words, "eval", c.script.text)
	} else {
		words = append(words, "evalsha", c.script.name)
	}
	words = append(words, len(c.keys))
	for _, k := range c.keys {
		words = append(words, k)
	}
	return append(words, c.args...)
}

package transporttest_test

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// pipe is one direction of a connection in memory: it holds so many bytes, and makes who puts more
// wait.
type pipe struct {
	most int

	mu      sync.Mutex
	list    []packet
	bytes   int
	err     error         // the result of get when the list is empty
	broken  bool          // nothing is put any more, and nothing got
	stalled bool          // get waits
	changed chan struct{} // closed and made anew with each change
}

// packet is a message, or a code to close with.
type packet struct {
	op   wire.Opcode
	data []byte
	part bool // of a message
	code transport.CloseCode
}

func newPipe(most int) *pipe { return &pipe{most: most, changed: make(chan struct{})} }

// change changes the pipe and wakes who waits for that.
func (p *pipe) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

var (
	errBroken = errors.New("the pipe is broken")
	errLate   = timeout{}
)

// timeout is an error as package net has it.
type timeout struct{}

func (timeout) Error() string   { return "the deadline is over" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// wait waits until ready holds, for the end of the pipe or until over is closed.
func (p *pipe) wait(over <-chan time.Time, ready func() bool) error {
	for {
		p.mu.Lock()
		changed, broken, ok := p.changed, p.broken, ready()
		p.mu.Unlock()
		switch {
		case broken:
			return errBroken
		case ok:
			return nil
		}
		select {
		case <-changed:
		case <-over:
			return errLate
		}
	}
}

// put appends a packet. Without a deadline it waits as long as that takes.
func (p *pipe) put(x packet, deadline time.Time) error {
	var over <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		over = timer.C
	}
	x.data = bytes.Clone(x.data)
	if err := p.wait(over, func() bool { return p.bytes < p.most || p.err != nil }); err != nil {
		return err
	}
	err := error(errBroken)
	p.change(func() {
		if p.err == nil {
			p.list = append(p.list, x)
			p.bytes += len(x.data) + 1
			err = nil
		}
	})
	return err
}

// get takes the first packet.
func (p *pipe) get(over <-chan time.Time) (x packet, err error) {
	ready := func() bool { return !p.stalled && (len(p.list) > 0 || p.err != nil) }
	if err := p.wait(over, ready); err != nil {
		return packet{}, err
	}
	p.change(func() {
		if len(p.list) == 0 {
			err = p.err
			return
		}
		x, p.list = p.list[0], p.list[1:]
		p.bytes -= len(x.data) + 1
	})
	return x, err
}

// end ends the pipe after the packets that it holds.
func (p *pipe) end(err error) {
	p.change(func() {
		if p.err == nil {
			p.err = err
		}
	})
}

// cut is end for a connection that is lost.
func (p *pipe) cut() { p.end(io.ErrUnexpectedEOF) }

// destroy makes put and get return at once.
func (p *pipe) destroy() { p.change(func() { p.broken = true }) }

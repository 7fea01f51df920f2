//go:build !noepoll

package websocket

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// listening is a receiver with a function that is told of each message.
type listening struct {
	deaf
	received func()
}

func (l listening) Receive(wire.Opcode, []byte) <-chan struct{} { l.received(); return nil }

// TestFloodHoldsUpNobody has 400 clients that have sent much, all on one poller with an idle
// connection and a closed one whose deadlines are over, and one whose client sends a message
// when all of the flood is there. It counts what is read of the flood before the poller sees
// to them. Another goroutine reads most of it, so a system that holds up the thread of the
// poller alone spoils a try.
func TestFloodHoldsUpNobody(t *testing.T) {
	var waited []string
	for try := range 5 {
		t.Run(fmt.Sprint("try ", try+1), func(t *testing.T) { waited = flood(t) })
		if waited == nil || t.Failed() {
			return
		}
	}
	t.Error(waited)
}

// flood is one try. It returns what waited too long.
func flood(t *testing.T) (waited []string) {
	const clients = 400
	s, p := onePoller(t)
	open := func(received func(), opts *Options) (*conn, net.Conn) {
		t.Helper()
		return connectTo(t, s, listening{received: received}, opts)
	}
	begun, proceed := make(chan struct{}), make(chan struct{})
	_, blocker := open(func() { close(begun); <-proceed }, nil)

	var mu sync.Mutex // guards the numbers
	var idle, closed *conn
	got, untilIdle, untilClosed, untilMessage := 0, 0, 0, 0
	all, answered := make(chan struct{}), make(chan struct{})
	one := bytes.Repeat(clientFrame(ws.OpBinary, true, string(make([]byte, 1000))), 64)
	const total = clients * 64
	_, beside := open(func() {
		mu.Lock()
		defer mu.Unlock()
		untilMessage = got
		close(answered)
	}, nil)
	conns, peers := make([]*conn, clients), make([]net.Conn, clients)
	for i := range conns {
		conns[i], peers[i] = open(func() {
			mu.Lock()
			defer mu.Unlock()
			if !idle.ended.Load() {
				untilIdle = got + 1
			}
			if !closed.isGone() {
				untilClosed = got + 1
			}
			if got++; got == total {
				close(all)
			}
		}, nil)
	}
	idle, _ = open(nil, &Options{IdleTimeout: time.Minute})
	closed, _ = open(nil, &Options{CloseLinger: time.Minute})
	closed.Close(transport.CloseGoingAway)
	waittest.Until(t, "it is closed, and waits for its client", func() bool {
		closed.mu.Lock()
		defer closed.mu.Unlock()
		return closed.flushed && closed.hanging && closed.poll.reader == readerNone
	})

	send := func(peer net.Conn, b []byte) {
		t.Helper()
		if _, err := peer.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	send(blocker, clientFrame(ws.OpText, true, "wait"))
	<-begun
	for i, peer := range peers {
		send(peer, one)
		waittest.Until(t, "it is in the socket", func() bool { return isReadable(conns[i].poll.fd) })
	}
	send(beside, clientFrame(ws.OpText, true, "here"))
	// Their deadlines are over, in a moment.
	idle.heard -= 2 * time.Minute
	idle.asked = true
	closed.mu.Lock()
	closed.closeBy = s.now()
	closed.mu.Unlock()
	p.lookAt(idle, s.now())
	p.lookAt(closed, s.now())
	waittest.Until(t, "the deadlines are over", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return s.now() > p.slots[idle.poll.slot].due && s.now() > p.slots[closed.poll.slot].due
	})
	// The backlog would go on beside the poller, whose thread may be late.
	gate := s.pollers.floodgate
	visits := make([]*visit, gate.places)
	for i := range visits {
		visits[i] = gate.enter()
	}
	close(proceed)
	<-answered
	waittest.Until(t, "the poller sees to the others", func() bool { return idle.ended.Load() && closed.isGone() })
	for _, v := range visits {
		gate.leave(v)
	}
	<-all
	t.Logf("of %d messages of the flood, %d were received before the idle connection was closed, %d before the closed one was gone, %d before a message of another client",
		total, untilIdle, untilClosed, untilMessage)
	for what, n := range map[string]int{"an idle connection": untilIdle, "a closed connection": untilClosed, "a message": untilMessage} {
		if n > total/2 {
			waited = append(waited, fmt.Sprintf("%s waited for %d of %d messages of a flood", what, n, total))
		}
	}
	return waited
}

// TestWaitForTurnIsNoPause has a connection wait for its turn for longer than its client would
// have to be quiet.
func TestWaitForTurnIsNoPause(t *testing.T) {
	s, _ := onePoller(t)
	c, peer := connect(t, s)
	c.mu.Lock()
	c.poll.reader = readerBusy
	c.mu.Unlock()
	c.burst = uint32(burstBytes) + 1
	c.heard = s.now() - 2*calmFor
	if _, err := peer.Write(clientFrame(ws.OpBinary, true, "x")); err != nil {
		t.Fatal(err)
	}
	waittest.Until(t, "the poller is told", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.poll.readable
	})
	was := c.burst
	var q turns
	q.push(c)
	for buf := new(readBuffer); q.len() > 0; {
		q.serve(s, buf[:], 1)
	}
	c.mu.Lock() // the poller has it
	defer c.mu.Unlock()
	if c.burst <= was {
		t.Errorf("%d bytes have come since its client was quiet, want more than %d", c.burst, was)
	}
}

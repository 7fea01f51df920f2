//go:build !noepoll

package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// deaf is a receiver that wants nothing.
type deaf struct{}

func (deaf) Opened(seam.Conn)                            {}
func (deaf) Receive(wire.Opcode, []byte) <-chan struct{} { return nil }
func (deaf) Closed(error)                                {}

// onePoller makes a server whose connections all have the same poller. Nothing of it
// is left at the end of the test.
func onePoller(t *testing.T) (*server, *poller) {
	s := newServer(&serverConfig{Logger: slog.New(slog.DiscardHandler)})
	s.makePollers(1)
	t.Cleanup(func() {
		s.Abort()
		ctx, cancel := context.WithTimeout(context.Background(), waittest.Patience)
		defer cancel()
		if err := s.Wait(ctx); err != nil {
			t.Error(err)
		}
	})
	return s, &s.pollers.list[0]
}

// connect makes a connection that has settled: it is parked, with nothing to write.
func connect(t *testing.T, s *server) (*conn, net.Conn) {
	t.Helper()
	return connectTo(t, s, deaf{}, nil)
}

// connectTo is connect with a receiver and options.
func connectTo(t *testing.T, s *server, r seam.Receiver, opts *Options) (*conn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	tc, err := s.NewConn(nc, r, opts)
	if err != nil {
		t.Fatal(err)
	}
	c := tc.(*conn)
	waittest.Until(t, "the connection changes", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.poll.reader == readerNone && c.poll.writable
	})
	return c, peer
}

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

func (c *conn) isGone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.poll.reader == readerGone
}

// TestEventsOfTheGone has events that were fetched before their connection ended, and its
// slot and its descriptor were used again.
func TestEventsOfTheGone(t *testing.T) {
	s, p := onePoller(t)
	_, _ = connect(t, s) // keeps the poller open
	old, peer := connect(t, s)
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(old.poll.slot), Pad: int32(old.poll.gen)}
	if p.find(&event) != old {
		t.Fatal("not found while it was there")
	}
	peer.Close()
	waittest.Until(t, "the connection changes", old.isGone)
	if p.find(&event) != nil {
		t.Error("found after it was gone")
	}
	heir, _ := connect(t, s)
	if heir.poll.slot != old.poll.slot {
		t.Fatalf("slot %d was not used again, but %d", old.poll.slot, heir.poll.slot)
	}
	if p.find(&event) != nil {
		t.Error("an event of one that is gone found its heir")
	}
	event.Fd = 1000
	if p.find(&event) != nil {
		t.Error("found where no slot is")
	}
}

// TestGoneIsLeftAlone ends a connection once more when its poller is closed.
func TestGoneIsLeftAlone(t *testing.T) {
	s, p := onePoller(t)
	c, peer := connect(t, s)
	c.Close(transport.CloseGoingAway)
	if _, err := io.ReadAll(peer); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	waittest.Until(t, "the connection changes", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.epoll == nil })
	c.closeOrAbort(0)
	c.Close(transport.CloseRestart)
	if c.Send(seam.Seal(wire.Text, make([]byte, seam.Headroom+1))) {
		t.Error("took a frame")
	}
}

// TestWriterKeepsTheDescriptor ends a connection while somebody writes to its socket.
func TestWriterKeepsTheDescriptor(t *testing.T) {
	for _, how := range []string{"lost", "aborted"} {
		t.Run(how, func(t *testing.T) {
			s, _ := onePoller(t)
			c, peer := connect(t, s)
			fd := c.poll.fd
			c.mu.Lock()
			if !c.claimLocked(writerBusy) {
				t.Fatal("the role of the writer is taken")
			}
			c.mu.Unlock()
			if how == "lost" {
				peer.Close()
			} else {
				s.Abort()
			}
			waittest.Until(t, "the connection changes", c.isGone)
			if !isOpen(fd) || c.poll.fd != fd {
				t.Fatal("the descriptor was closed under the writer")
			}
			c.mu.Lock()
			c.idleLocked()
			c.mu.Unlock()
			if isOpen(fd) || s.Stats().Open != 0 {
				t.Error("the descriptor is left open")
			}
		})
	}
}

// TestRoomThatCameEarly has the kernel tell of room in the socket before the writer, which
// found it full, says that it waits.
func TestRoomThatCameEarly(t *testing.T) {
	s, _ := onePoller(t)
	c, peer := connect(t, s)
	c.mu.Lock()
	c.q.push([]byte{0x81, 1, 'a'})
	if !c.claimLocked(writerBusy) {
		t.Fatal("the role of the writer is taken")
	}
	var rest batch
	c.takeLocked(&rest)
	c.mu.Unlock()
	(*polled)(c).ready(unix.EPOLLOUT, nil)
	(*polled)(c).wait(&rest)
	_ = peer.SetReadDeadline(time.Now().Add(waittest.Patience))
	var got [3]byte
	if _, err := io.ReadFull(peer, got[:]); err != nil || got != [3]byte{0x81, 1, 'a'} {
		t.Errorf("got % x, %v", got, err)
	}
}

// TestEpollForgets closes a connection whose socket somebody else has a duplicate of:
// the kernel must not go on to report it.
func TestEpollForgets(t *testing.T) {
	s, p := onePoller(t)
	_, _ = connect(t, s) // keeps the poller open
	registered := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", p.fd))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(info), "tfd:")
	}
	c, peer := connect(t, s)
	twin, err := unix.Dup(c.poll.fd)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(twin)
	if n := registered(); n != 2 {
		t.Fatalf("%d sockets are registered", n)
	}
	peer.Close()
	waittest.Until(t, "the connection changes", c.isGone)
	if n := registered(); n != 1 {
		t.Errorf("%d sockets are registered after one is closed", n)
	}
}

// TestSweepLooksAhead makes a connection due before there is anything to do about it: the
// poller must look again when there is, and not all the time.
func TestSweepLooksAhead(t *testing.T) {
	s, p := onePoller(t)
	c, _ := connect(t, s)
	p.lookAt(c, s.now())
	waittest.Until(t, "the connection changes", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.slots[c.poll.slot].due > s.now()+defaultIdleTimeout/2 && p.wake > s.now()+defaultIdleTimeout/2
	})
}

// TestOverdueIsNeitherEarlyNorLate looks at an idle connection at given times.
func TestOverdueIsNeitherEarlyNorLate(t *testing.T) {
	s, _ := onePoller(t)
	c, _ := connect(t, s)
	heard := func() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.heard }()
	for _, early := range []time.Duration{0, defaultIdleTimeout / 2, defaultIdleTimeout - 1} {
		(*polled)(c).overdue(heard + early)
		if c.ended.Load() {
			t.Fatalf("ended after %v", early)
		}
	}
	(*polled)(c).overdue(heard + defaultIdleTimeout)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != transport.ErrIdle {
		t.Errorf("reason %v", c.reason)
	}
}

// TestStuckIsReset has a client that reads nothing, until a deadline: of writing, or of
// closing. The kernel must not keep what it has for such a client.
func TestStuckIsReset(t *testing.T) {
	for _, how := range []string{"writing", "closing"} {
		t.Run(how, func(t *testing.T) {
			s, _ := onePoller(t)
			c, peer := connect(t, s)
			lim := *c.lim
			lim.queueBytes = 64 << 20
			if how == "closing" {
				lim.write = 0
			}
			c.mu.Lock()
			c.lim = &lim
			c.mu.Unlock()
			c.Send(seam.Seal(wire.Binary, make([]byte, 32<<20)))
			is := func(ok func() bool) func() bool {
				return func() bool { c.mu.Lock(); defer c.mu.Unlock(); return ok() }
			}
			at := time.Duration(0)
			waittest.Until(t, "the connection changes", is(func() bool {
				if c.blocked != nil {
					at = c.blocked.since + lim.write
				}
				return at > 0
			}))
			if how == "closing" {
				c.Close(transport.CloseGoingAway)
				waittest.Until(t, "the connection changes", is(func() bool { at = c.closeBy; return c.hanging && c.poll.reader == readerNone }))
			}
			(*polled)(c).overdue(at - 1)
			if c.isGone() {
				t.Fatal("given up too early")
			}
			(*polled)(c).overdue(at + time.Second) // the kernel may have taken more meanwhile
			waittest.Until(t, "the connection changes", func() bool { return s.Stats().Open == 0 })
			if _, err := io.Copy(io.Discard, peer); !errors.Is(err, unix.ECONNRESET) {
				t.Errorf("the client's end: %v", err)
			}
			if n := s.Stats().SlowConsumers; how == "writing" && n != 1 {
				t.Errorf("%d slow consumers", n)
			}
		})
	}
}

// TestSilentIsAskedOnce looks at a silent connection at given times.
func TestSilentIsAskedOnce(t *testing.T) {
	s, _ := onePoller(t)
	c, peer := connect(t, s)
	heard := func() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.heard }()
	(*polled)(c).overdue(heard + pingAfter - 1)
	(*polled)(c).overdue(heard + pingAfter)
	(*polled)(c).overdue(heard + pingAfter + 1)
	(*polled)(c).overdue(heard + defaultIdleTimeout - 1)
	c.Close(transport.CloseGoingAway)
	got, err := io.ReadAll(peer)
	if want := "\x89\x00\x88\x02\x03\xe9"; err != nil || string(got) != want {
		t.Errorf("got % x, %v; want % x", got, err, want)
	}
}

// TestAskedLateByPoller looks at a silent connection for the first time when it should be closed.
func TestAskedLateByPoller(t *testing.T) {
	s, _ := onePoller(t)
	c, peer := connect(t, s)
	c.mu.Lock()
	c.heard = s.now() - 2*DefaultIdleTimeout
	c.mu.Unlock()
	now := s.now()
	(*polled)(c).overdue(now)
	(*polled)(c).overdue(now + DefaultIdleTimeout - pingAfter - 1) // its client has time to answer
	if c.ended.Load() {
		t.Fatal("ended before its client could answer")
	}
	c.mu.Lock()
	end := c.heard + DefaultIdleTimeout
	c.mu.Unlock()
	(*polled)(c).overdue(end)
	got, err := io.ReadAll(peer)
	if want := "\x89\x00\x88\x02\x03\xea"; err != nil || string(got) != want {
		t.Errorf("got % x, %v; want % x", got, err, want)
	}
}

// TestWhatHasComeIsNotLate has a connection whose poller was held up, so that what the client
// has sent is still in its socket when it is looked at: too late to be asked, or for its
// connection to go on.
func TestWhatHasComeIsNotLate(t *testing.T) {
	for _, late := range []time.Duration{pingAfter, defaultIdleTimeout} {
		s, p := onePoller(t)
		c, peer := connect(t, s)
		heard := func() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.heard }()
		p.mu.Lock() // the poller finds nobody for its events meanwhile
		p.slots[c.poll.slot].conn = nil
		p.mu.Unlock()
		if _, err := peer.Write([]byte{0x81, 0x80, 1, 2, 3, 4}); err != nil {
			t.Fatal(err)
		}
		waittest.Until(t, "it is in the socket", func() bool { return isReadable(c.poll.fd) })
		p.mu.Lock()
		p.slots[c.poll.slot].conn = c
		p.mu.Unlock()
		if read := (*polled)(c).overdue(heard + late); !read || c.ended.Load() {
			t.Fatalf("after %v: read %v, ended %v", late, read, c.ended.Load())
		}
		(*polled)(c).readSome()
		c.Close(transport.CloseGoingAway)
		if got, err := io.ReadAll(peer); err != nil || string(got) != "\x88\x02\x03\xe9" {
			t.Errorf("after %v: got % x, %v", late, got, err)
		}
	}
}

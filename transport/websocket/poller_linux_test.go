//go:build !noepoll

package websocket_test

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

// TestIdleOverTCP leaves a client that sends nothing to the timeout.
func TestIdleOverTCP(t *testing.T) { engines(t, testIdleOverTCP) }

func testIdleOverTCP(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	_, other := serve(t, s, newReceiver(echo), &websocket.Options{IdleTimeout: option.Unlimited})
	for _, begun := range [][]byte{nil, {0x81}, text("abc").bytes()[:7]} {
		r := newReceiver(nil)
		_, c := serve(t, s, r, &websocket.Options{IdleTimeout: 30 * time.Millisecond})
		c.write(begun)
		c.expect(wantClose(1002))
		if err := r.reason(t); err != transport.ErrIdle {
			t.Errorf("reason %v", err)
		}
	}
	other.send(text("here"))
	other.expect(wantText("here"))
}

// TestFloodStarvesNobody has a client that has sent much, and one beside it, on the same
// poller, whose message must not wait for all of that.
func TestFloodStarvesNobody(t *testing.T) {
	s := newServer(t)
	var mu sync.Mutex
	var order []string
	begun, proceed := make(chan struct{}), make(chan struct{})
	note := func(_ seam.Conn, _ wire.Opcode, data []byte) <-chan struct{} {
		mu.Lock()
		order = append(order, string(data[:5]))
		first := len(order) == 1
		mu.Unlock()
		if first {
			close(begun)
			<-proceed // so that the poller finds all of it at once
		}
		return nil
	}
	sc, pc := tcpPair(t)
	sc.SetReadBuffer(1 << 20)
	conn, err := s.NewConn(sc, newReceiver(note), nil)
	if err != nil {
		t.Fatal(err)
	}
	flood := newClient(t, pc)
	for range runtime.GOMAXPROCS(0) - 1 {
		serve(t, s, newReceiver(nil), nil)
	}
	other, beside := serve(t, s, newReceiver(note), nil)
	// A connection that opens is read by a goroutine of its own, which may be late.
	eventually(t, "the poller has both", func() bool { return websocket.Parked(conn) && websocket.Parked(other) })

	flood.send(text("first"))
	<-begun
	flood.write(bytes.Repeat(text(fmt.Sprintf("flood%01000d", 0)).bytes(), 200))
	flood.send(text("flood, the last"), text("end of it"))
	beside.send(text("beside"))
	arrived(t, flood.nc)
	arrived(t, beside.nc)
	close(proceed)
	has := func(what string) int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Index(order, what)
	}
	eventually(t, "all is received", func() bool { return has("end o") >= 0 && has("besid") >= 0 })
	if has("end o") < has("besid") {
		t.Errorf("a message waited for %d of a flood", has("end o"))
	}
}

// arrived waits until all that was written to nc is where its peer can read it.
func arrived(t *testing.T, nc net.Conn) {
	t.Helper()
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the peer's kernel has all", func() bool {
		left := -1
		err := raw.Control(func(fd uintptr) { left, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
		return err == nil && left == 0
	})
}

// TestClientThatHasClosedStillReads closes connections whose clients have closed their
// side, and do not read at first. When the last of it is written nothing is waited for.
func TestClientThatHasClosedStillReads(t *testing.T) { engines(t, testClientThatHasClosed) }

func testClientThatHasClosed(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	opts := &websocket.Options{CloseLinger: time.Hour, WriteTimeout: time.Hour, MaxQueueBytes: 64 << 20}
	r := newReceiver(nil)
	conn, c := serve(t, s, r, opts)
	conn.Send(numbered(1, 16<<20))
	conn.Close(transport.CloseGoingAway)
	r.reason(t)
	c.nc.(*net.TCPConn).CloseWrite()
	arrived(t, c.nc)
	c.expect(wantBin(numbered(1, 16<<20).Payload()), wantClose(1001))
	eventually(t, "the connection is gone", func() bool { return s.Stats().Open == 0 })
}

// TestUrgentByte has a client that sends a byte out of band. The kernel hands out what comes
// before it alone, as if there were no more.
func TestUrgentByte(t *testing.T) { engines(t, testUrgentByte) }

func testUrgentByte(t *testing.T, newServer serverMaker) {
	resume := make(chan struct{})
	r := newReceiver(func(c seam.Conn, op wire.Opcode, data []byte) <-chan struct{} {
		echo(c, op, data)
		return resume
	})
	_, c := serve(t, newServer(t), r, nil)
	c.send(text("hold"))
	c.expect(wantText("hold"))
	c.send(text("before"))
	raw, err := c.nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := raw.Control(func(fd uintptr) { err = unix.Send(int(fd), []byte("!"), unix.MSG_OOB) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	c.send(text("after"))
	arrived(t, c.nc)
	close(resume)
	c.expect(wantText("before"), wantText("after"))
}

// TestReceiversEndThePoller has receivers that end the goroutine they are called in, all at
// once, beside others that notice nothing.
func TestReceiversEndThePoller(t *testing.T) {
	s := newServer(t)
	var good, bad []*client
	for range 40 {
		_, c := serve(t, s, newReceiver(echo), nil)
		good = append(good, c)
		_, c = serve(t, s, newReceiver(func(seam.Conn, wire.Opcode, []byte) <-chan struct{} {
			runtime.Goexit()
			return nil
		}), nil)
		bad = append(bad, c)
	}
	for i := range good {
		bad[i].send(text("end"))
		good[i].send(text("a"), text("b"))
	}
	for i := range good {
		bad[i].expect(wantClose(1011))
		good[i].expect(wantText("a"), wantText("b"))
	}
}

// TestNoDescriptorLeft lets a server have none to duplicate a socket with.
func TestNoDescriptorLeft(t *testing.T) {
	s := newServer(t)
	sc, pc := tcpPair(t)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	_, err := s.NewConn(sc, newReceiver(echo), nil)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if conns, open := s.Polled(); conns != 0 || open != 0 {
		t.Errorf("%d connections in %d pollers", conns, open)
	}
	c := newClient(t, pc)
	c.send(text("a"))
	c.expect(wantText("a"))
}

package link

import (
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

const (
	clientClosed = "closed: transport: closed by the client"
	lost         = "closed: transport: connection lost"
	idle         = "closed: transport: nothing received within the idle timeout"
	slow         = "closed: transport: client reads too slowly"
)

func closedWith(code transport.CloseCode) error { return &transport.ClosedError{Code: code} }

func TestLife(t *testing.T) {
	within(t, func(b *bench) {
		b.in <- message{op: wire.Text, data: "early"}
		b.open()
		b.want("opened", "receive early")
		b.send("hello")
		b.want("write hello")
		b.in <- message{op: wire.Binary, data: "\xff"}
		b.in <- message{op: wire.Text}
		b.want("receive \xff", "receive ")
		close(b.in)
		b.want(clientClosed, "close 1000", "close 0")
		b.end(transport.ErrClientClosed)
		if b.conn.Send(frames("late")[0]) {
			t.Error("a frame was taken after the end")
		}
		b.conn.Close(transport.CloseGoingAway)
		b.want()
	})
}

func TestServerCloses(t *testing.T) {
	within(t, func(b *bench) {
		b.open()
		b.want("opened")
		b.conn.Send(frames("last")[0])
		b.conn.Close(4001)
		b.conn.Close(transport.CloseGoingAway)
		b.want(closedOf(4001), "write last", "close 4001")
		b.in <- message{op: wire.Text, data: "not received"}
		time.Sleep(time.Second / 2)
		b.want()
		close(b.in)
		b.want("close 0 at 500ms")
		b.end(closedWith(4001))
	})
}

func closedOf(code transport.CloseCode) string { return "closed: " + closedWith(code).Error() }

func TestLinger(t *testing.T) {
	within(t, func(b *bench) {
		b.open()
		b.conn.Close(transport.CloseRestart)
		time.Sleep(time.Second)
		b.want("opened", closedOf(1012), "close 1012", "close 0 at 1s")
		b.end(closedWith(1012))
	})
	// A client that goes on to send is read from, but not for ever.
	within(t, func(b *bench) {
		b.open()
		b.conn.Close(transport.CloseRestart)
		for range 5 {
			b.in <- message{op: wire.Binary, data: string(make([]byte, 1<<20))}
		}
		b.want("opened", closedOf(1012), "close 1012", "close 0")
		b.end(closedWith(1012))
	})
}

// The channels hear of an end though the client does not read the queue.
func TestClosedBeforeWritten(t *testing.T) {
	within(t, func(b *bench) {
		taken := make(chan struct{})
		b.write = func(frames []transport.Frame, _ time.Time) error {
			<-taken
			b.note("write %s", texts(frames))
			return nil
		}
		b.open()
		b.send("a")
		synctest.Wait()
		b.send("b")
		b.conn.Close(transport.CloseGoingAway)
		b.want("opened", closedOf(1001))
		close(taken)
		b.want("write a", "write b", "close 1001")
		close(b.in)
		b.want("close 0")
		b.end(closedWith(1001))
	})
}

func TestReadErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		want   []string
		reason error
	}{
		{"client closed", io.EOF, []string{"opened", clientClosed, "close 1000", "close 0"}, transport.ErrClientClosed},
		{"lost", io.ErrUnexpectedEOF, []string{"opened", lost, "close 0"}, transport.ErrLost},
		{"too big", closedWith(1009), []string{"opened", closedOf(1009), "close 1009", "close 0 at 1s"}, closedWith(1009)},
		{"no code for this", closedWith(1012), []string{"opened", closedOf(1002), "close 1002", "close 0 at 1s"}, closedWith(1002)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			within(t, func(b *bench) {
				b.in <- message{err: tt.err}
				b.open()
				time.Sleep(time.Second)
				b.want(tt.want...)
				b.end(tt.reason)
			})
		})
	}
}

func TestWriteErrors(t *testing.T) {
	for _, tt := range []struct {
		err    error
		closed string
		reason error
	}{
		{io.ErrClosedPipe, lost, transport.ErrLost},
		{os.ErrDeadlineExceeded, slow, transport.ErrSlowConsumer},
	} {
		within(t, func(b *bench) {
			b.write = func([]transport.Frame, time.Time) error { return tt.err }
			b.open()
			b.send("a")
			b.want("opened", tt.closed, "close 0")
			b.end(tt.reason)
		})
	}
}

// A connection may be closed wherever its conn is known, under a lock too.
func TestCloseEverywhere(t *testing.T) {
	within(t, func(b *bench) {
		b.opened = func(c seam.Conn) { c.Close(transport.CloseTryAgainLater) }
		b.in <- message{op: wire.Text, data: "not received"}
		b.open()
		close(b.in)
		b.want("opened", closedOf(1013), "close 1013", "close 0")
		b.end(closedWith(1013))
	})
	within(t, func(b *bench) {
		b.receive = func(_ wire.Opcode, data []byte) <-chan struct{} {
			b.note("receive %s", data)
			b.conn.Send(frames("reply")[0])
			b.conn.Close(4001)
			return nil
		}
		b.in <- message{op: wire.Text, data: "a"}
		b.in <- message{op: wire.Text, data: "b"}
		close(b.in)
		b.open()
		b.want("opened", "receive a", closedOf(4001), "write reply", "close 4001", "close 0")
		b.end(closedWith(4001))
	})
}

func TestIdle(t *testing.T) {
	within(t, func(b *bench) {
		b.open()
		time.Sleep(70 * time.Second)
		b.in <- message{op: wire.Text, data: "a"}
		b.want("opened", "receive a at 1m10s")
		time.Sleep(77 * time.Second)
		b.want(idle+" at 2m25.05s", "close 1002 at 2m25.05s", "close 0 at 2m26.05s")
		b.end(transport.ErrIdle)
	})
	within(t, func(b *bench) {
		b.lim.idle = 0
		b.open()
		time.Sleep(1000 * time.Hour)
		b.want("opened")
		close(b.in)
		b.end(transport.ErrClientClosed)
	})
}

func TestHold(t *testing.T) {
	within(t, func(b *bench) {
		resume := make(chan struct{})
		b.receive = func(_ wire.Opcode, data []byte) <-chan struct{} {
			b.note("receive %s", data)
			return resume
		}
		b.in <- message{op: wire.Text, data: "a"}
		b.in <- message{op: wire.Text, data: "b"}
		b.open()
		b.want("opened", "receive a")
		time.Sleep(10 * time.Minute)
		if len(b.in) != 1 {
			t.Error("Read was called while the receiver held the connection back")
		}
		close(resume)
		b.want("receive b at 10m0s") // and is held no more
		time.Sleep(74 * time.Second)
		close(b.in)
		b.want(clientClosed+" at 11m14s", "close 1000 at 11m14s", "close 0 at 11m14s")
		b.end(transport.ErrClientClosed)
	})
	within(t, func(b *bench) {
		b.receive = func(wire.Opcode, []byte) <-chan struct{} { return make(chan struct{}) }
		b.in <- message{op: wire.Text, data: "a"}
		b.open()
		b.conn.Close(transport.CloseGoingAway)
		close(b.in)
		b.end(closedWith(1001))
	})
	within(t, func(b *bench) {
		b.receive = func(wire.Opcode, []byte) <-chan struct{} { return make(chan struct{}) }
		b.in <- message{op: wire.Text, data: "a"}
		b.open()
		time.Sleep(holdMost + time.Second)
		b.end(closedWith(1013))
		b.said(notice.NotRead)
	})
}

func TestWrongMessages(t *testing.T) {
	for _, tt := range []struct {
		m    message
		code transport.CloseCode
		kind notice.Kind
	}{
		{message{op: 8, data: "a"}, transport.CloseInternalError, notice.LinkOpcode},
		{message{op: wire.Text, data: "\xff"}, transport.CloseInvalidData, notice.ClientFault},
		{message{op: wire.Text, data: string(make([]byte, 1<<20+1))}, transport.CloseTooBig, notice.TooBig},
		{message{err: closedWith(1009)}, transport.CloseTooBig, notice.TooBig},
		{message{err: closedWith(1008)}, transport.ClosePolicy, notice.ClientFault},
	} {
		within(t, func(b *bench) {
			b.in <- tt.m
			close(b.in)
			b.open()
			time.Sleep(time.Second)
			b.end(closedWith(tt.code))
			b.said(tt.kind)
		})
	}
}

func TestGroup(t *testing.T) {
	within(t, func(b *bench) {
		b.open()
		b.group.Close(transport.CloseRestart)
		b.want("opened", closedOf(1012), "close 1012")
		b.group.Abort()
		b.want("close 0")
		b.end(closedWith(1012))
		if err := b.group.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
	within(t, func(b *bench) {
		b.open()
		b.group.Abort()
		b.want("opened", lost, "close 0")
		b.end(transport.ErrLost)
	})
	within(t, func(b *bench) { // accepted before, and served after
		b.group.Close(transport.CloseRestart)
		close(b.in)
		b.open()
		b.end(closedWith(1012))
	})
	within(t, func(b *bench) {
		b.group.Abort()
		b.open()
		b.end(transport.ErrLost)
	})
}

// The oldest of too many connections that wait for their clients to go is cut.
func TestMaxClosing(t *testing.T) {
	within(t, func(b *bench) {
		b.lim.linger = time.Hour
		b.group.maxClosing = 1
		others := make([]*bench, 2)
		for i := range others {
			o := &bench{T: b.T, group: b.group, lim: b.lim, log: b.log, start: b.start}
			o.in, o.cut, o.served = make(chan message), make(chan struct{}), make(chan error, 1)
			others[i] = o
			o.open()
			o.conn.Close(transport.CloseRestart)
			synctest.Wait()
		}
		b.group.makeRoom()
		if err := <-others[0].served; err == nil {
			t.Error("no reason")
		}
		b.said(notice.LingerCut)
		close(others[1].in)
		<-others[1].served
	})
}

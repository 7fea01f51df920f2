package link

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// stalled makes the link write nothing before the channel it returns is closed, or until the
// link is cut.
func (b *bench) stalled() (taken chan struct{}) {
	taken = make(chan struct{})
	b.write = func(frames []transport.Frame, _ time.Time) error {
		select {
		case <-taken:
		case <-b.cut:
			return fmt.Errorf("cut")
		}
		b.note("write %d", len(frames))
		return nil
	}
	return taken
}

func TestCoalescing(t *testing.T) {
	within(t, func(b *bench) {
		taken := b.stalled()
		b.open()
		b.send("first")
		synctest.Wait()
		for i := range 100 {
			b.send(fmt.Sprint(i))
		}
		close(taken)
		b.want("opened", "write 1", "write 100")
		if s := b.group.Stats(); s.Writes != 2 || s.MessagesOut != 101 {
			t.Errorf("counted as %+v", s)
		}
		if q := &b.conn.(*conn).queue; q.bytes != 0 || q.msgs != 0 {
			t.Errorf("%d bytes in %d frames are left", q.bytes, q.msgs)
		}
		close(b.in)
		b.end(transport.ErrClientClosed)
	})
}

// One Write gets no more than a slow client can take in its time.
func TestBatches(t *testing.T) {
	within(t, func(b *bench) {
		var deadlines []time.Duration
		taken := b.stalled()
		write := b.write
		b.write = func(frames []transport.Frame, deadline time.Time) error {
			deadlines = append(deadlines, time.Until(deadline))
			return write(frames, deadline)
		}
		b.open()
		part, large := strings.Repeat("x", 100<<10), strings.Repeat("y", 700<<10)
		b.send("first")
		synctest.Wait()
		b.send(part, part, part, large, "a", "b")
		close(taken)
		b.want("opened", "write 1", "write 2", "write 1", "write 1", "write 2")
		for i, want := range []time.Duration{10, 10, 10, 30, 10} {
			if deadlines[i] != want*time.Second {
				t.Errorf("Write %d has %v, want %d s", i, deadlines[i], want)
			}
		}
		close(b.in)
		b.end(transport.ErrClientClosed)
	})
}

func TestSlowConsumer(t *testing.T) {
	for _, tt := range []struct {
		name            string
		bytes, messages int
		send, fits      int
	}{
		{"messages", 1 << 20, 10, 10, 10},
		{"bytes", 1000, 100, 102, 9}, // of 104 bytes with the header of the frame
		{"one large frame", 1000, 100, 900, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			within(t, func(b *bench) {
				b.lim.queueBytes, b.lim.queueMsgs = tt.bytes, tt.messages
				taken := b.stalled()
				b.open()
				f := transport.NewFrame(wire.Binary, make([]byte, tt.send))
				n := 0
				for b.conn.Send(f) {
					n++
					synctest.Wait()
				}
				if n < tt.fits || n > tt.fits+1 {
					t.Errorf("%d frames were taken, want %d", n, tt.fits)
				}
				b.want("opened", slow)
				close(taken)
				b.want("write 1", "close 1013") // what had begun, and no more
				close(b.in)
				b.end(transport.ErrSlowConsumer)
			})
		})
	}
}

// A client that takes nothing is not told, but it is closed in time, and whoever sends to it
// never waits.
func TestStalled(t *testing.T) {
	within(t, func(b *bench) {
		b.stalled()
		b.open()
		b.send("a")
		time.Sleep(11 * time.Second)
		b.want("opened", slow+" at 10.5s", "close 0 at 10.5s")
		b.end(transport.ErrSlowConsumer)
	})
	within(t, func(b *bench) {
		b.lim.queueMsgs = 1
		b.stalled()
		b.open()
		b.send("a")
		time.Sleep(5 * time.Second)
		b.conn.Send(frames("b")[0])
		time.Sleep(11 * time.Second)
		b.want("opened", slow+" at 5s", "close 0 at 10.5s")
		b.end(transport.ErrSlowConsumer)
	})
	within(t, func(b *bench) {
		b.close = func(code transport.CloseCode) error {
			if code != 0 {
				<-b.cut
			}
			return nil
		}
		b.open()
		b.conn.Close(4001)
		time.Sleep(11 * time.Second)
		b.want("opened", closedOf(4001), "close 4001", "close 0 at 10.5s")
		b.end(closedWith(4001))
	})
	within(t, func(b *bench) {
		b.lim.write = 0
		taken := b.stalled()
		b.open()
		b.send("a")
		time.Sleep(time.Minute)
		b.want("opened")
		close(taken)
		close(b.in)
		synctest.Wait()
		b.events = nil
		b.end(transport.ErrClientClosed)
	})
}

// A method that does not even return when the connection is cut is said. The channels have
// heard of the end long ago.
func TestStuck(t *testing.T) {
	for _, method := range []string{"Read", "Write or Close", "Close(0)"} {
		t.Run(method, func(t *testing.T) {
			within(t, func(b *bench) {
				release := make(chan struct{})
				switch method {
				case "Read":
					b.read = func() (wire.Opcode, []byte, error) { <-release; return 0, nil, io.ErrClosedPipe }
				case "Close(0)":
					b.close = func(code transport.CloseCode) error {
						if code == 0 {
							<-release
						}
						return nil
					}
				default:
					b.write = func([]transport.Frame, time.Time) error { <-release; return nil }
				}
				b.open()
				b.send("a")
				synctest.Wait()
				b.group.Abort()
				synctest.Wait()
				if last := b.events[len(b.events)-1]; last != lost && last != "close 0" {
					t.Errorf("%q is last", last)
				}
				time.Sleep(stuckAfter - 1)
				b.said0(notice.LinkStuck)
				time.Sleep(time.Second)
				b.said(notice.LinkStuck, method)
				select {
				case <-b.served:
					t.Error("Serve has returned")
				default:
				}
				close(release)
				b.end(transport.ErrLost)
			})
		})
	}
}

func (b *bench) said0(kind notice.Kind) {
	b.Helper()
	if n := b.group.book.Count(kind); n != 0 {
		b.Errorf("%s was said %d times", kind, n)
	}
}

func TestOffer(t *testing.T) {
	within(t, func(b *bench) {
		b.lim.queueBytes, b.lim.queueMsgs = 1000, 100
		taken := b.stalled()
		b.open()
		c := b.conn.(*conn)
		if c.Low() != nil {
			t.Error("an empty queue is not low")
		}
		if _, err := c.Offer(transport.NewFrame(wire.Text, make([]byte, 800))); err != pace.ErrTooLarge {
			t.Errorf("800 bytes: %v", err)
		}
		f := transport.NewFrame(wire.Text, make([]byte, 98))
		for range 5 {
			if again, err := c.Offer(f); again != nil || err != nil {
				t.Errorf("100 bytes: %v, %v", again, err)
			}
		}
		again, err := c.Offer(f)
		if again == nil || err != nil {
			t.Fatalf("600 bytes are taken: %v", err)
		}
		low := c.Low()
		select {
		case <-low:
			t.Error("the queue is low")
		default:
		}
		close(taken)
		<-again
		<-low
		close(b.in)
		synctest.Wait()
		if _, err := c.Offer(f); err != pace.ErrClosed {
			t.Errorf("after the end: %v", err)
		}
		b.end(transport.ErrClientClosed)
	})
}

package link

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Each way to break out of a method is one of its connection alone.
var breaks = map[string]func(){
	"panic":  func() { panic("the bubble bursts") },
	"goexit": runtime.Goexit,
	"nil":    func() { var l *fakeLink; l.events = nil },
}

func TestLinkPanics(t *testing.T) {
	for name, burst := range breaks {
		for method, set := range map[string]func(b *bench){
			"Read":  func(b *bench) { b.read = func() (wire.Opcode, []byte, error) { burst(); return 0, nil, nil } },
			"Write": func(b *bench) { b.write = func([]transport.Frame, time.Time) error { burst(); return nil } },
			"Close": func(b *bench) {
				b.close = func(code transport.CloseCode) error { b.only(code != 0, burst); return nil }
			},
			"Close(0)": func(b *bench) {
				b.close = func(code transport.CloseCode) error { b.only(code == 0, burst); return nil }
			},
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				within(t, func(b *bench) {
					set(b)
					b.open()
					if method != "Read" {
						b.send("a")
						synctest.Wait()
						b.conn.Close(4001)
					}
					synctest.Wait()
					reason := transport.ErrPanic
					switch method {
					case "Close":
						reason = closedWith(4001)
					case "Close(0)":
						reason = closedWith(4001)
						close(b.in)
					}
					if method == "Read" && name == "goexit" {
						reason = nil // nothing is returned by a goroutine that has ended
					}
					b.end(reason)
					b.said(notice.LinkPanic, "method="+method)
				})
			})
		}
	}
}

func (b *bench) only(when bool, f func()) {
	if when {
		f()
	}
}

func TestReceiverPanics(t *testing.T) {
	for name, burst := range breaks {
		for method, set := range map[string]func(b *bench){
			"Opened":  func(b *bench) { b.opened = func(seam.Conn) { burst() } },
			"Receive": func(b *bench) { b.receive = func(wire.Opcode, []byte) <-chan struct{} { burst(); return nil } },
			"Closed":  func(b *bench) { b.closed = func(error) { burst() } },
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				within(t, func(b *bench) {
					set(b)
					b.in <- message{op: wire.Text, data: "a"}
					close(b.in)
					b.open()
					time.Sleep(time.Second)
					reason := closedWith(transport.CloseInternalError)
					if method == "Closed" {
						reason = transport.ErrClientClosed
					}
					if name == "goexit" {
						reason = nil
					}
					b.end(reason)
					b.said(notice.LinkReceiver)
				})
			})
		}
	}
}

package link

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// hostileError is an error of a link with methods that do not return.
type hostileError struct{ is, text func() }

func run(f func()) {
	if f != nil {
		f()
	}
}

func (e *hostileError) Error() string { run(e.text); return "hostile" }
func (e *hostileError) Is(error) bool { run(e.is); return false }
func (e *hostileError) Unwrap() error { return closedWith(transport.CloseTooBig) }

// lateError is a net.Error whose Timeout panics.
type lateError struct{}

func (lateError) Error() string   { return "late" }
func (lateError) Timeout() bool   { bursts(); return false }
func (lateError) Temporary() bool { return false }

func bursts() { panic("the bubble bursts") }

// Errors have methods of the transport, which are no safer than those of a link.
func TestErrorsOfLinks(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		misuse bool // a nil error; otherwise it panics
	}{
		"nil ClosedError":          {(*transport.ClosedError)(nil), true},
		"nil OpError":              {(*net.OpError)(nil), true},
		"nil error of its own":     {(*hostileError)(nil), true},
		"nil ClosedError, wrapped": {fmt.Errorf("wrapped: %w", (*transport.ClosedError)(nil)), false},
		"Is panics":                {&hostileError{is: bursts}, false},
		"Is ends the goroutine":    {&hostileError{is: runtime.Goexit}, false},
		"Error panics":             {&hostileError{text: bursts}, false},
		"Timeout panics":           {lateError{}, false},
	} {
		for method, set := range map[string]func(b *bench){
			"Read":  func(b *bench) { b.read = func() (wire.Opcode, []byte, error) { return wire.Text, []byte("a"), tt.err } },
			"Write": func(b *bench) { b.write = func([]transport.Frame, time.Time) error { return tt.err } },
			"Close": func(b *bench) {
				b.close = func(code transport.CloseCode) error {
					if code != 0 {
						return tt.err
					}
					return nil
				}
			},
			"Close(0)": func(b *bench) {
				b.close = func(code transport.CloseCode) error {
					if code == 0 {
						return tt.err
					}
					return nil
				}
			},
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				within(t, func(b *bench) {
					set(b)
					b.open()
					if method != "Read" {
						b.conn.Send(frames("a")[0])
						synctest.Wait()
					}
					b.conn.Close(4001)
					time.Sleep(time.Second)
					synctest.Wait()
					select {
					case <-b.served:
					default:
						t.Errorf("Serve has not returned, after %v", b.events)
						b.group.Abort()
					}
					if n := b.group.tasks.Len(); n != 0 {
						t.Errorf("%d goroutines are left", n)
					}
					if s := b.group.Stats(); s.Open != 0 || s.Lost+s.ServerClosed != 1 {
						t.Errorf("counted as %+v", s)
					}
					if tt.misuse {
						b.said(notice.TransportMisuse, method+" of a Link returned a nil")
					} else {
						b.said(notice.LinkPanic, "method="+method)
					}
				})
			})
		}
	}
}

// After its end a connection does not read for ever, even if what it reads is empty.
func TestEmptyMessagesWithoutEnd(t *testing.T) {
	within(t, func(b *bench) {
		b.lim.linger = time.Hour
		b.receive = func(wire.Opcode, []byte) <-chan struct{} { b.conn.Close(4001); return nil }
		b.read = func() (wire.Opcode, []byte, error) { return wire.Binary, nil, nil }
		b.open()
		b.end(closedWith(4001))
	})
}

// A link that writes into its frames is found before another connection sees that.
func TestWriteChangesFrames(t *testing.T) {
	within(t, func(b *bench) {
		b.write = func(frames []transport.Frame, _ time.Time) error {
			clear(frames[0].Bytes())
			return nil
		}
		b.open()
		shared := frames("shared")[0]
		before := bytes.Clone(shared.Bytes())
		b.conn.Send(shared)
		b.want("opened", lost, "close 0")
		b.end(transport.ErrLost)
		b.said(notice.TransportMisuse, "Write of a Link changed a frame")
		if !bytes.Equal(shared.Bytes(), before) {
			t.Errorf("the frame is now %q", shared.Bytes())
		}
	})
	within(t, func(b *bench) { // the slice, too, is not its own
		b.write = func(frames []transport.Frame, _ time.Time) error { clear(frames); return nil }
		b.open()
		b.send("a")
		b.end(transport.ErrLost)
		b.said(notice.TransportMisuse)
	})
	within(t, func(b *bench) { // later it harms itself only
		b.write = func(frames []transport.Frame, _ time.Time) error {
			b.note("write %s", texts(frames))
			frames = append(frames, frames...)
			if b.group.Stats().Writes > 0 {
				clear(frames)
			}
			return nil
		}
		b.open()
		for _, text := range []string{"a", "b", "c"} {
			b.send(text)
			synctest.Wait()
		}
		b.want("opened", "write a", "write b", "write c")
		close(b.in)
		b.end(transport.ErrClientClosed)
	})
}

// No deadline overflows, however long the write timeout and however large the batch.
func TestLongestDeadline(t *testing.T) {
	within(t, func(b *bench) {
		b.lim.write = 365 * 24 * time.Hour
		c := &conn{group: b.group, lim: &b.lim}
		for _, n := range []int{0, 1, batchBytes, 1 << 30, math.MaxInt - batchBytes} {
			c.queue.taken = n
			if d := c.deadlineLocked(); d < b.lim.write || !b.group.at(d).After(time.Now()) || d+writeGrace < d {
				t.Errorf("%d bytes have until %v", n, d)
			}
		}
	})
}

// fickle is a transport whose name changes.
type fickle struct {
	fakeTransport
	asked int
}

func (f *fickle) Name() string { f.asked++; return strings.Repeat("x", f.asked) }

func TestNameIsAskedOnce(t *testing.T) {
	f := &fickle{}
	if got := Mounter(f, "x").Traits().Manner.Transport; got != "x" || f.asked != 0 {
		t.Errorf("the name is %q, asked %d times more", got, f.asked)
	}
}

func TestMountReturnsNilError(t *testing.T) {
	err := newHost(nil).mounted(func(transport.Mount) error { return (*net.OpError)(nil) })
	if want := `transport "fake": Mount returned a nil *net.OpError as error; return nil`; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRefuseMistakes(t *testing.T) {
	h := newHost(nil)
	asked := 0
	h.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { asked++ }
	if err := h.mounted(nil); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/socket/fake", nil)
	w := httptest.NewRecorder()
	h.mount.Refuse(nil, r, transport.ErrBusy)
	h.mount.Refuse((*httptest.ResponseRecorder)(nil), r, transport.ErrBusy)
	h.mount.Refuse(w, nil, transport.ErrBusy)
	h.mount.Refuse(httptest.NewRecorder(), r, (*transport.StatusError)(nil))
	h.mount.Refuse(w, r, nil)
	if n := h.Book.Count(notice.TransportMisuse); n != 5 || asked != 0 {
		t.Errorf("said %d times, want 5; the ErrorHandler was asked %d times: %s", n, asked, h.log)
	}
	if w.Code != http.StatusInternalServerError {
		t.Errorf("a client that was refused for no reason gets %d, want 500", w.Code)
	}
}

// One transport may have several mounts, whose requests must not be confused: each has its own
// checks and its own Connect.
func TestAcceptOfAnotherMount(t *testing.T) {
	accept := func(*transport.ConnectInfo) (seam.Receiver, error) { return (*fakeReceiver)(&bench{}), nil }
	public, secret := newHost(accept), newHost(accept)
	secret.Path = "/secret"
	var latest transport.Mount // as in a field of the transport
	serve := func(m transport.Mount) error {
		latest = m
		m.Handle("fake", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, err := latest.Accept(r); err == nil || !strings.Contains(err.Error(), "Mount.Accept of /secret is called with a request of another mount, of /socket") {
				t.Errorf("a client of another mount: %v", err)
			}
			if _, err := m.Accept(r); err != nil {
				t.Errorf("a client of the mount: %v", err)
			}
		}))
		return nil
	}
	if err := errors.Join(public.mounted(serve), secret.mounted(serve)); err != nil {
		t.Fatal(err)
	}
	public.routes[0].Handler.Serve(nil, httptest.NewRequest(http.MethodGet, "/socket/fake", nil), nil)
	if n := secret.Book.Count(notice.TransportMisuse); n != 1 || secret.group.Stats().Refused != 1 {
		t.Errorf("said %d times: %s", n, secret.log)
	}
}

// A link that is not served because of its options is closed, whatever its Close does.
func TestCloseOfUnservedLink(t *testing.T) {
	for name, burst := range breaks {
		h := newHost(func(*transport.ConnectInfo) (seam.Receiver, error) { return (*fakeReceiver)(&bench{}), nil })
		if err := h.mounted(nil); err != nil {
			t.Fatal(err)
		}
		s, err := h.mount.Accept(&http.Request{URL: &url.URL{}})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			b := &bench{cut: make(chan struct{}), close: func(transport.CloseCode) error { burst(); return nil }}
			_ = s.Serve((*fakeLink)(b), &transport.LinkOptions{CloseLinger: -1})
		}()
		<-done
		if n := h.Book.Count(notice.LinkPanic); n != 1 {
			t.Errorf("%s was said %d times: %s", name, n, h.log)
		}
	}
}

package link

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// bench is a connection under test: its link and its receiver, which write down all
// calls.
type bench struct {
	*testing.T
	group *Group
	lim   limits
	log   *waittest.Buffer
	conn  seam.Conn
	start time.Time

	in     chan message  // messages for Read to return
	cut    chan struct{} // closed by Close(0)
	served chan error    // the result of serve

	// Where these are set, the link and the receiver call them.
	read    func() (wire.Opcode, []byte, error)
	write   func(frames []transport.Frame, deadline time.Time) error
	close   func(code transport.CloseCode) error
	opened  func(c seam.Conn)
	receive func(op wire.Opcode, data []byte) <-chan struct{}
	closed  func(reason error)

	mu     sync.Mutex
	events []string
}

type message struct {
	op   wire.Opcode
	data string
	err  error
}

// within runs a test in a bubble, with a bench whose connection is not open yet.
func within(t *testing.T, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, err := resolve(nil, &bounds)
		if err != nil {
			t.Fatal(err)
		}
		log := &waittest.Buffer{}
		b := &bench{
			T: t, lim: *l, log: log, start: time.Now(),
			group: newGroup("fake", notice.NewBook(slog.New(slog.NewTextHandler(log, nil))), 0, make(chan struct{})),
			in:    make(chan message, 100), cut: make(chan struct{}), served: make(chan error, 1),
		}
		f(b)
	})
}

// open serves the connection in a goroutine of its own, and returns when it waits.
func (b *bench) open() {
	go func() {
		var err error
		defer func() { b.served <- err }() // also after runtime.Goexit
		err = b.group.serve((*fakeLink)(b), (*fakeReceiver)(b), &b.lim)
	}()
	synctest.Wait()
}

// end wants the connection to be over, for a reason.
func (b *bench) end(want error) {
	b.Helper()
	synctest.Wait()
	select {
	case got := <-b.served:
		if fmt.Sprint(got) != fmt.Sprint(want) {
			b.Errorf("Serve returned %v, want %v", got, want)
		}
	default:
		b.Errorf("Serve has not returned, after %v", b.events)
		b.group.Abort()
		synctest.Wait()
	}
	if n := b.group.tasks.Len(); n != 0 {
		b.Errorf("%d goroutines are left", n)
	}
	s := b.group.Stats()
	if ends := s.ClientClosed + s.Lost + s.IdleTimeouts + s.SlowConsumers + s.ProtocolErrors + s.InvalidData + s.PolicyErrors + s.TooBig + s.ServerClosed; s.Open != 0 || s.Opened != 1 || ends != 1 {
		b.Errorf("counted as %+v", s)
	}
}

// note writes down an event, with its time where that is not the beginning.
func (b *bench) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	event := fmt.Sprintf(format, args...)
	if d := time.Since(b.start); d > 0 {
		event += fmt.Sprintf(" at %v", d)
	}
	b.events = append(b.events, event)
}

// want wants exactly these events so far, in this order. But two goroutines tell the receiver and the
// link of the end: the receiver counts as the first.
func (b *bench) want(events ...string) {
	b.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, event := range b.events {
		for ; i > 0 && strings.HasPrefix(event, "closed") && (strings.HasPrefix(b.events[i-1], "close ") || strings.HasPrefix(b.events[i-1], "write ")); i-- {
			b.events[i], b.events[i-1] = b.events[i-1], event
		}
	}
	if !slices.Equal(b.events, events) {
		b.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(b.events, "\n\t"), strings.Join(events, "\n\t"))
	}
	b.events = nil
}

// said wants a notice in the log.
func (b *bench) said(kind notice.Kind, parts ...string) {
	b.Helper()
	if n := b.group.book.Count(kind); n != 1 {
		b.Errorf("%s was said %d times, want once: %s", kind, n, b.log)
	}
	for _, part := range parts {
		if !strings.Contains(b.log.String(), part) {
			b.Errorf("the log has no %q: %s", part, b.log)
		}
	}
}

// frames are text frames.
func frames(texts ...string) (list []transport.Frame) {
	for _, text := range texts {
		list = append(list, transport.NewFrame(wire.Text, []byte(text)))
	}
	return list
}

func (b *bench) send(texts ...string) {
	b.Helper()
	for _, f := range frames(texts...) {
		if !b.conn.Send(f) {
			b.Errorf("%s was not taken", f.Payload())
		}
	}
}

type fakeLink bench

func (l *fakeLink) Read() (wire.Opcode, []byte, error) {
	if l.read != nil {
		return l.read()
	}
	select {
	case m, ok := <-l.in:
		if !ok {
			return 0, nil, io.EOF
		}
		return m.op, []byte(m.data), m.err
	case <-l.cut:
		return 0, nil, io.ErrClosedPipe
	}
}

func (l *fakeLink) Write(frames []transport.Frame, deadline time.Time) error {
	if l.write != nil {
		return l.write(frames, deadline)
	}
	(*bench)(l).note("write %s", texts(frames))
	return nil
}

func texts(frames []transport.Frame) string {
	var list [][]byte
	for _, f := range frames {
		list = append(list, f.Payload())
	}
	return string(bytes.Join(list, []byte(" ")))
}

func (l *fakeLink) Close(code transport.CloseCode) error {
	(*bench)(l).note("close %d", code)
	if code == 0 {
		close(l.cut)
	}
	if l.close != nil {
		return l.close(code)
	}
	return nil
}

type fakeReceiver bench

func (r *fakeReceiver) Opened(c seam.Conn) {
	r.conn = c
	(*bench)(r).note("opened")
	if r.opened != nil {
		r.opened(c)
	}
}

func (r *fakeReceiver) Receive(op wire.Opcode, data []byte) <-chan struct{} {
	if r.receive != nil {
		return r.receive(op, data)
	}
	(*bench)(r).note("receive %s", data)
	return nil
}

func (r *fakeReceiver) Closed(reason error) {
	(*bench)(r).note("closed: %v", reason)
	if r.closed != nil {
		r.closed(reason)
	}
}

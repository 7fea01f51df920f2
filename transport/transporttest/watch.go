package transporttest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// watch stands between an endpoint and a transport that is made of links. It checks the laws of the
// transport, and makes methods of links fail for some checks.
type watch struct {
	s *suite

	mu      sync.Mutex
	links   []*watchedLink
	faults  []string
	running int  // functions of Mount.Go that run
	began   bool // Mount.Go was called
	handles bool // Mount.Handle was called
	most    int  // bytes of the largest message that Read has returned
}

func newWatch(s *suite) *watch { return &watch{s: s} }

func (w *watch) transport(t transport.Transport) transport.Transport { return &watchedTransport{t, w} }

func (w *watch) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// report fails the check for each fault. It is called after Shutdown.
func (w *watch) report() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running > 0 {
		w.faults = append(w.faults, fmt.Sprintf("%d functions of Mount.Go run after Shutdown: they end when their context does", w.running))
	}
	for _, l := range w.links {
		l.mu.Lock()
		for _, f := range l.frames {
			if !bytes.Equal(f.frame.Bytes(), f.bytes) {
				w.faults = append(w.faults, "the bytes of a frame were changed: they belong to all connections that get the frame")
				break
			}
		}
		l.mu.Unlock()
	}
	for _, fault := range w.faults {
		w.s.Errorf("%s", fault)
	}
}

// last returns the link that was served last.
func (w *watch) last() *watchedLink {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.links[len(w.links)-1]
}

type watchedTransport struct {
	transport.Transport
	w *watch
}

// Mount implements transport.Transport.
func (t *watchedTransport) Mount(m transport.Mount) error {
	return t.Transport.Mount(&watchedMount{m, t.w})
}

type watchedMount struct {
	transport.Mount
	w *watch
}

// Accept implements transport.Mount.
func (m *watchedMount) Accept(r *http.Request) (transport.Session, error) {
	s, err := m.Mount.Accept(r)
	if err != nil {
		return nil, err
	}
	return &watchedSession{Session: s, w: m.w}, nil
}

// Handle implements transport.Mount.
func (m *watchedMount) Handle(path string, h http.Handler) {
	m.w.mu.Lock()
	m.w.handles = true
	m.w.mu.Unlock()
	m.Mount.Handle(path, h)
}

// Go implements transport.Mount.
func (m *watchedMount) Go(f func(ctx context.Context)) {
	m.w.mu.Lock()
	m.w.running++
	m.w.began = true
	m.w.mu.Unlock()
	m.Mount.Go(func(ctx context.Context) {
		defer func() {
			m.w.mu.Lock()
			m.w.running--
			m.w.mu.Unlock()
		}()
		f(ctx)
	})
}

type watchedSession struct {
	transport.Session
	w *watch
}

// Serve implements transport.Session.
func (s *watchedSession) Serve(l transport.Link, o *transport.LinkOptions) error {
	watched := &watchedLink{link: l, w: s.w}
	s.w.mu.Lock()
	s.w.links = append(s.w.links, watched)
	s.w.mu.Unlock()
	defer s.w.served()
	return s.Session.Serve(watched, o)
}

// served is called when Serve has returned. The goroutine that called it belongs to a handler, or to
// a function of Go.
func (w *watch) served() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began && w.running == 0 && !w.handles && len(w.faults) == 0 {
		w.faults = append(w.faults, "a connection was served when no function of Mount.Go ran any more: each connection is served by such a function, or by a goroutine that one waits for")
	}
}

// watchedLink is a Link whose laws are checked.
type watchedLink struct {
	link transport.Link
	w    *watch

	mu     sync.Mutex
	frames []kept
	burst  map[string]func() // called in the method of this name
	cut    bool              // Close(0) was called
}

// kept is a frame with a copy of its bytes.
type kept struct {
	frame transport.Frame
	bytes []byte
}

// cutAfter is a little less than the time for which a Write may run on after its deadline.
const cutAfter = 400 * time.Millisecond

// keptMost is the number of frames of a link that are compared at the end.
const keptMost = 100

// breaks makes a method call f.
func (l *watchedLink) breaks(method string, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.burst == nil {
		l.burst = map[string]func(){}
	}
	l.burst[method] = f
}

func (l *watchedLink) burstIn(method string) {
	l.mu.Lock()
	f := l.burst[method]
	l.mu.Unlock()
	if f != nil {
		f()
	}
}

// Read implements transport.Link.
func (l *watchedLink) Read() (op wire.Opcode, data []byte, err error) {
	op, data, err = l.link.Read()
	l.w.read(len(data))
	l.burstIn("Read")
	return op, data, err
}

// Write implements transport.Link.
func (l *watchedLink) Write(frames []transport.Frame, deadline time.Time) error {
	l.burstIn("Write")
	l.mu.Lock()
	for _, f := range frames {
		if len(l.frames) < keptMost {
			l.frames = append(l.frames, kept{f, bytes.Clone(f.Bytes())})
		}
	}
	l.mu.Unlock()
	err := l.link.Write(frames, deadline)
	l.mu.Lock()
	defer l.mu.Unlock()
	// If another method fails, too, the connection may be cut before this one returns.
	if l.cut && !deadline.IsZero() && time.Since(deadline) > cutAfter {
		l.w.fault("Write ran on after its deadline until it was cut: it must return by the deadline")
	}
	return err
}

// Close implements transport.Link.
func (l *watchedLink) Close(code transport.CloseCode) error {
	if code == 0 {
		l.mu.Lock()
		l.cut = true
		l.mu.Unlock()
		l.burstIn("Close(0)")
	} else {
		l.burstIn("Close")
	}
	return l.link.Close(code)
}

// listens reports whether functions of Mount.Go run.
func (w *watch) listens() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running > 0
}

// read notes that Read has returned a message of n bytes.
func (w *watch) read(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.most = max(w.most, n)
}

// largest returns the bytes of the largest message that Read has returned.
func (w *watch) largest() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most
}

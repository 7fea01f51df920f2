package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
)

// fakeTransport is a transport whose Mount is a function.
type fakeTransport func(m transport.Mount) error

func (fakeTransport) Name() string                    { return "fake" }
func (f fakeTransport) Mount(m transport.Mount) error { return f(m) }

// acceptor is an Acceptor whose Accept is a function.
type acceptor func(info *transport.ConnectInfo) (seam.Receiver, error)

func (a acceptor) Accept(info *transport.ConnectInfo) (seam.Receiver, error) { return a(info) }

// fakeHost is an endpoint with one mount.
type fakeHost struct {
	seam.Host
	log    *waittest.Buffer
	ending chan struct{}
	group  *Group
	routes []seam.Route
	mount  transport.Mount
}

func newHost(accept acceptor) *fakeHost {
	h := &fakeHost{log: &waittest.Buffer{}, ending: make(chan struct{})}
	h.Host = seam.Host{
		Name: "fake", Path: "/socket", Acceptor: accept, Ending: h.ending,
		Book: notice.NewBook(slog.New(slog.NewTextHandler(h.log, nil))),
		Shared: func(_ any, newServer func() seam.Server) seam.Server {
			h.group = newServer().(*Group)
			return h.group
		},
	}
	return h
}

// mounted mounts a transport that does something in Mount.
func (h *fakeHost) mounted(f func(m transport.Mount) error) error {
	m := Mounter(fakeTransport(func(m transport.Mount) error {
		h.mount = m
		if f == nil {
			return nil
		}
		return f(m)
	}), "fake")
	h.Traits = m.Traits()
	routes, err := m.MountSeam(&h.Host)
	h.routes = routes
	return err
}

// panics returns what f panics with.
func panics(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return ""
}

func TestMountMistakes(t *testing.T) {
	handler := http.NotFoundHandler()
	for want, f := range map[string]func(m transport.Mount) error{
		"give Mount.Handle one or more segments": func(m transport.Mount) error { m.Handle("/", handler); return nil },
		`no handler for "a"`:                     func(m transport.Mount) error { m.Handle("a", nil); return nil },
		"its own":                                func(transport.Mount) error { return errors.New("its own") },
	} {
		if err := newHost(nil).mounted(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	h := newHost(nil)
	if err := h.mounted(nil); err != nil {
		t.Fatal(err)
	}
	r := &http.Request{URL: &url.URL{}}
	h.Acceptor = acceptor(func(*transport.ConnectInfo) (seam.Receiver, error) { return (*fakeReceiver)(&bench{}), nil })
	served, err := h.mount.Accept(r)
	if err != nil {
		t.Fatal(err)
	}
	h.group.Abort() // so that Serve returns at once
	l := &fakeLink{cut: make(chan struct{})}
	_ = served.Serve(l, nil)
	for want, f := range map[string]func(){
		"Mount.Handle after its Mount has returned": func() { h.mount.Handle("a", handler) },
		"Mount.Limits after its Mount has returned": func() { h.mount.Limits(slog.Int("a", 1)) },
		"Mount.Go no function":                      func() { h.mount.Go(nil) },
	} {
		if got := panics(f); !strings.Contains(got, want) {
			t.Errorf("panic %q, want %q", got, want)
		}
	}
	accept := func(r *http.Request) error { _, err := h.mount.Accept(r); return err }
	for i, tt := range []struct {
		err  error
		want string
	}{
		{accept(nil), "without a request that has a URL"},
		{accept(&http.Request{}), "without a request that has a URL"},
		{served.Serve((*fakeLink)(nil), nil), "without a Link"},
		{served.Serve(l, nil), "called twice"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) || h.Book.Count(notice.TransportMisuse) != 4 {
			t.Errorf("mistake %d: %v, want %q; %s", i, tt.err, tt.want, h.log)
		}
	}
}

func TestHandle(t *testing.T) {
	h := newHost(nil)
	h.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) { w.WriteHeader(http.StatusTeapot) }
	if err := h.mounted(func(m transport.Mount) error {
		m.Limits(slog.Int("window", 7))
		m.Handle("fake/:part", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := m.Accept(r)
			m.Refuse(w, r, err)
		}))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(h.routes) != 1 || h.routes[0].Path != "fake/:part" || !h.routes[0].Handler.Begins(nil) || h.routes[0].Handler.Limits()[0].Value.Int64() != 7 {
		t.Fatalf("routes are %+v", h.routes)
	}
	reason := errors.New("a reason")
	for err, want := range map[error]int{
		refused.ErrRefused: http.StatusForbidden, transport.ErrBusy: http.StatusServiceUnavailable, reason: http.StatusTeapot,
	} {
		h.Acceptor = acceptor(func(info *transport.ConnectInfo) (seam.Receiver, error) {
			if part, _ := info.Params.String("part"); part != "one" || info.Transport != "fake" {
				t.Errorf("Connect is told %v of %s", info.Params, info.Transport)
			}
			return nil, err
		})
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/socket/fake/one", strings.NewReader("a body that nobody wants"))
		h.routes[0].Handler.Serve(w, r, map[string]string{"part": "one"})
		if w.Code != want || w.Header().Get("Connection") != "close" {
			t.Errorf("after %v: status %d, want %d; %v", err, w.Code, want, w.Header())
		}
	}
	if n := h.group.Stats().Refused; n != 3 {
		t.Errorf("%d were counted as refused, want 3", n)
	}
}

// Whatever the program does in its functions, Accept returns to the transport.
func TestAcceptPanics(t *testing.T) {
	r := &http.Request{URL: &url.URL{RawQuery: "a=b"}}
	for name, f := range map[string]func(){"panic": func() { panic("the bubble bursts") }, "goexit": runtime.Goexit} {
		h := newHost(func(*transport.ConnectInfo) (seam.Receiver, error) { f(); return nil, nil })
		if err := h.mounted(nil); err != nil {
			t.Fatal(err)
		}
		if _, err := h.mount.Accept(r); !errors.Is(err, transport.ErrPanic) {
			t.Errorf("%s in Connect: %v", name, err)
		}
		if n := h.Book.Count(notice.LinkAcceptor); n != 1 {
			t.Errorf("%s in Connect was said %d times: %s", name, n, h.log)
		}
		h.Checks.Origin = func(*http.Request) bool { f(); return false }
		if _, err := h.mount.Accept(r); !errors.Is(err, transport.ErrPanic) {
			t.Errorf("%s in Origin: %v", name, err)
		}
		if n := h.Book.Count(notice.RequestCrash); n != 1 {
			t.Errorf("%s in Origin was said %d times: %s", name, n, h.log)
		}
	}
	h := newHost(func(*transport.ConnectInfo) (seam.Receiver, error) { panic(http.ErrAbortHandler) })
	if err := h.mounted(func(m transport.Mount) error {
		m.Handle("fake", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = m.Accept(r) }))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := panics(func() { h.routes[0].Handler.Serve(nil, r, nil) }); got != http.ErrAbortHandler.Error() {
		t.Errorf("ErrAbortHandler comes out as %q", got)
	}
	if _, err := h.mount.Accept(r); !errors.Is(err, transport.ErrPanic) { // there is no http.Server to take it
		t.Errorf("ErrAbortHandler elsewhere is %v", err)
	}
	h.group.Close(transport.CloseRestart)
	if _, err := h.mount.Accept(r); !errors.Is(err, transport.ErrBusy) || h.Book.Count(notice.Draining) != 1 {
		t.Errorf("after Close: %v; %s", err, h.log)
	}
}

// A request that came by no path of the endpoint is shown to it first.
func TestArrived(t *testing.T) {
	arrived := 0
	h := newHost(func(info *transport.ConnectInfo) (seam.Receiver, error) { return nil, refused.ErrRefused })
	h.Arrived = func(r *http.Request) *http.Request { arrived++; return r }
	if err := h.mounted(func(m transport.Mount) error {
		m.Handle("fake", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = m.Accept(r) }))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	h.routes[0].Handler.Serve(nil, httptest.NewRequest(http.MethodGet, "/socket/fake", nil), nil)
	if arrived != 0 {
		t.Error("a request of the endpoint arrived a second time")
	}
	_, _ = h.mount.Accept(&http.Request{URL: &url.URL{}})
	if arrived != 1 {
		t.Error("a request from elsewhere did not arrive")
	}
}

func TestServeOptions(t *testing.T) {
	h := newHost(func(*transport.ConnectInfo) (seam.Receiver, error) { return (*fakeReceiver)(&bench{}), nil })
	if err := h.mounted(nil); err != nil {
		t.Fatal(err)
	}
	turned := int64(0)
	for want, o := range map[string]*transport.LinkOptions{
		"LinkOptions.MaxQueueBytes is -5":         {MaxQueueBytes: -5},
		"set MaxQueueBytes to 3072 or more":       {MaxMessage: 2 << 10, MaxQueueBytes: 2 << 10},
		"make MaxQueueBytes Unlimited too":        {MaxMessage: option.Unlimited, MaxQueueBytes: 2 << 10},
		"LinkOptions.MaxQueueMessages is 1, and ": {MaxQueueMessages: 1},
	} {
		s, err := h.mount.Accept(&http.Request{URL: &url.URL{}})
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{T: t, cut: make(chan struct{})}
		turned++
		err = s.Serve((*fakeLink)(b), o)
		if err == nil || !strings.Contains(err.Error(), want) || h.Book.Count(notice.LinkOptions) != turned || h.group.Stats().Refused != uint64(turned) {
			t.Errorf("Serve returned %v; %s", err, h.log)
		}
		<-b.cut
	}
}

// Shutdown can be told which transport it waits for.
func TestGoRunsOn(t *testing.T) {
	h := newHost(nil)
	release := make(chan struct{})
	if err := h.mounted(func(m transport.Mount) error {
		m.Go(func(context.Context) { <-release })
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := h.group.Wait(over); err == nil {
			t.Error("Wait returned nil")
		}
	}
	if n := h.Book.Count(notice.TransportStuck); n != 1 {
		t.Errorf("it was said %d times: %s", n, h.log)
	}
	close(release)
	if err := h.group.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(nil)
		ended := time.Duration(0)
		start := time.Now()
		if err := h.mounted(func(m transport.Mount) error {
			m.Go(func(ctx context.Context) {
				if ctx.Err() != nil {
					t.Error("the context has ended")
				}
				below, cancel := context.WithCancel(ctx)
				defer cancel()
				<-below.Done()
				ended = time.Since(start)
				if !errors.Is(ctx.Err(), context.Canceled) {
					t.Errorf("the context has ended with %v", ctx.Err())
				}
			})
			m.Go(func(context.Context) { panic("the bubble bursts") })
			m.Go(func(context.Context) { runtime.Goexit() })
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		close(h.ending)
		if err := h.group.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if ended != time.Minute {
			t.Errorf("the context ended after %v", ended)
		}
		if n := h.Book.Count(notice.TransportPanic); n != 2 {
			t.Errorf("a panic, or runtime.Goexit, was said %d times: %s", n, h.log)
		}
	})
}

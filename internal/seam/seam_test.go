package seam

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strconv"
	"testing"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// acceptFunc is an Acceptor.
type acceptFunc func(*transport.ConnectInfo) (Receiver, error)

func (f acceptFunc) Accept(i *transport.ConnectInfo) (Receiver, error) { return f(i) }

// deaf is a Receiver.
type deaf struct{}

func (deaf) Opened(Conn)                                 {}
func (deaf) Receive(wire.Opcode, []byte) <-chan struct{} { return nil }
func (deaf) Closed(error)                                {}

func hostOf(a acceptFunc) *Host {
	return &Host{
		Name: "lines", Path: "/socket", Acceptor: a, Book: notice.NewBook(slog.New(slog.DiscardHandler)),
		Traits: Traits{Manner: Manner{Transport: "lines", HeaderToken: true}, AcceptorPanic: notice.WebSocketAcceptor},
	}
}

// TestAsk has an acceptor that decides, and one that breaks.
func TestAsk(t *testing.T) {
	banned := errors.New("banned")
	for name, tc := range map[string]struct {
		accept acceptFunc
		want   error
		kind   notice.Kind // or 0
	}{
		"accepts": {func(*transport.ConnectInfo) (Receiver, error) { return deaf{}, nil }, nil, 0},
		"refuses": {func(*transport.ConnectInfo) (Receiver, error) { return nil, banned }, banned, 0},
		"nothing": {func(*transport.ConnectInfo) (Receiver, error) { return nil, nil }, transport.ErrPanic, notice.NoReceiver},
		"panics":  {func(*transport.ConnectInfo) (Receiver, error) { panic("boom") }, transport.ErrPanic, notice.WebSocketAcceptor},
	} {
		h := hostOf(tc.accept)
		r := httptest.NewRequest(http.MethodGet, "/socket/lines", nil)
		info, err := h.Check(r, map[string]string{"tenant": "acme"})
		if err != nil || info.Transport != "lines" || info.Params["tenant"] != "acme" {
			t.Fatalf("%+v, %v", info, err)
		}
		receiver, err := h.Ask(nil, r, info)
		if !errors.Is(err, tc.want) || (receiver != nil) != (tc.want == nil) {
			t.Errorf("%s: %v, %v", name, receiver, err)
		}
		if tc.kind != 0 && h.Book.Count(tc.kind) != 1 {
			t.Errorf("%s: %v is not said", name, tc.kind)
		}
	}
}

// TestAskAfterGoexit has an acceptor that ends the goroutine: the request is answered, if there is
// a ResponseWriter.
func TestAskAfterGoexit(t *testing.T) {
	for _, w := range []*httptest.ResponseRecorder{nil, httptest.NewRecorder()} {
		h := hostOf(func(*transport.ConnectInfo) (Receiver, error) { runtime.Goexit(); return nil, nil })
		done := make(chan struct{})
		go func() {
			defer close(done)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			info, _ := h.Check(r, nil)
			if w == nil {
				_, _ = h.Ask(nil, r, info)
			} else {
				_, _ = h.Ask(w, r, info)
			}
			t.Error("Ask returned")
		}()
		<-done
		if w != nil && (w.Code != http.StatusInternalServerError || !w.Flushed) {
			t.Errorf("status %d, flushed %v", w.Code, w.Flushed)
		}
		if h.Book.Count(notice.WebSocketAcceptor) != 1 {
			t.Error("it is not said")
		}
	}
}

// TestRefuse answers each error that Check and Ask return.
func TestRefuse(t *testing.T) {
	handled := func(w http.ResponseWriter, _ *http.Request, _ error) { http.Error(w, "no", http.StatusTeapot) }
	for name, tc := range map[string]struct {
		err     error
		handler func(http.ResponseWriter, *http.Request, error)
		status  int
		body    string
	}{
		"checks":         {&transport.StatusError{Status: 414, Err: refused.ErrURLTooLong}, handled, 414, ""},
		"refused":        {fmt.Errorf("no: %w", refused.ErrRefused), handled, 403, ""},
		"busy":           {transport.ErrBusy, handled, 503, ""},
		"panic":          {fmt.Errorf("%w: boom", transport.ErrPanic), handled, 500, ""},
		"reason":         {errors.New("reason"), nil, 403, ""},
		"handled reason": {errors.New("reason"), handled, 418, "no\n"},
	} {
		w, h := httptest.NewRecorder(), hostOf(nil)
		h.ErrorHandler = tc.handler
		h.Refuse(w, httptest.NewRequest(http.MethodGet, "/", nil), tc.err)
		if w.Code != tc.status || w.Body.String() != tc.body {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
		if after, _ := strconv.Atoi(w.Header().Get("Retry-After")); (tc.status == 503) != (after >= 1 && after <= 5) {
			t.Errorf("%s: Retry-After %d", name, after)
		}
	}
}

// TestAdd adds up every field of transport.Stats.
func TestAdd(t *testing.T) {
	one, sum := transport.Stats{Extra: map[string]uint64{"polls": 1}}, transport.Stats{}
	v := reflect.ValueOf(&one).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Int64:
			f.SetInt(int64(i + 1))
		case reflect.Uint64:
			f.SetUint(uint64(i + 1))
		}
	}
	Add(&sum, &one)
	if !reflect.DeepEqual(sum, one) {
		t.Errorf("%+v, want %+v", sum, one)
	}
	Add(&sum, &one)
	if sum.Extra["polls"] != 2 || sum.Writes != 2*one.Writes || one.Extra["polls"] != 1 {
		t.Errorf("%+v", sum)
	}
}

// TestEnds counts the end of each connection once.
func TestEnds(t *testing.T) {
	var c Counters
	reasons := []error{transport.ErrClientClosed, transport.ErrLost, transport.ErrIdle, transport.ErrSlowConsumer}
	codes := []transport.CloseCode{1002, 1007, 1008, 1009, 1011, 1012, 4001}
	for _, reason := range reasons {
		c.Ended(0, reason)
	}
	for _, code := range codes {
		c.Ended(code, &transport.ClosedError{Code: code})
	}
	s := c.Stats()
	want := transport.Stats{
		ClientClosed: 1, Lost: 1, IdleTimeouts: 1, SlowConsumers: 1,
		ProtocolErrors: 1, InvalidData: 1, PolicyErrors: 1, TooBig: 1, ServerClosed: 3,
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("%+v", s)
	}
}

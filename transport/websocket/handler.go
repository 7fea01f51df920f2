package websocket

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/internal/refusal"
)

// Handler upgrades the requests of one mount. Its method may be called from
// any goroutine.
type Handler struct {
	srv      *Server
	acceptor seam.Acceptor
	checks   transport.Checks
	lim      *limits
	mount    refusal.Mount
	onError  func(http.ResponseWriter, *http.Request, error)
}

// Handler makes the handler of a mount. The checks are made on each request before
// the acceptor is asked. It copies checks and opts, of which nil means the
// defaults. The error names what is out of its bounds.
func (s *Server) Handler(acceptor seam.Acceptor, checks *transport.Checks, opts *Options) (*Handler, error) {
	l, err := s.limits(opts)
	if err != nil {
		return nil, err
	}
	h := &Handler{srv: s, acceptor: acceptor, lim: l, mount: refusal.NewMount(s.book, transport.WebSocket, acceptor)}
	if checks != nil {
		h.checks = *checks
	}
	if err := h.checks.Validate(); err != nil {
		return nil, err
	}
	if opts != nil {
		h.onError = opts.ErrorHandler
	}
	for _, p := range h.checks.Subprotocols {
		if !isToken(p) {
			return nil, fmt.Errorf("websocket: subprotocol %q is not a token of HTTP", p)
		}
	}
	return h, nil
}

// bodyTime is how long a client may send a body that nobody wants.
const bodyTime = 5 * time.Second

// Serve answers a request, by upgrading it when all is well. It returns at once
// then: the connection goes on in a goroutine of the server's. The vars are
// those of the mount's path.
//
// The order is one that clients can see: the method, the mount's checks, the
// acceptor, and only then the headers of the upgrade.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, vars map[string]string) {
	if r.ContentLength != 0 {
		// Whatever the answer, the server shall not wait for a body first, nor for
		// ever after it.
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	}
	upgraded := false
	defer func() {
		if !upgraded {
			h.srv.stats.refused.Add(1)
		}
	}()
	upgraded = h.serve(w, r, vars)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, vars map[string]string) bool {
	if r.Method != http.MethodGet {
		h.mount.Book.Say(notice.Method, h.mount.About(r, notice.Foreign("method", r.Method))...)
		refuse(w, http.StatusBadRequest)
		return false
	}
	if !h.srv.enter() {
		h.mount.Book.Say(notice.Draining, h.mount.About(r)...)
		refuseBusy(w)
		return false
	}
	defer h.srv.goroutines.Done()
	d, direct := w.(director)
	info, err := h.checks.Run(r, vars, transport.WebSocket)
	if err != nil {
		h.mount.Checked(r, h.checks.Subprotocols, err)
		if direct {
			d.Direct(nil, err)
		}
		status := http.StatusInternalServerError
		if se, ok := errors.AsType[*transport.StatusError](err); ok {
			status = se.Status
		}
		refuse(w, status)
		return false
	}
	h.mount.Session(r, &h.checks, info)
	subprotocol := info.Subprotocol
	receiver, err := h.accept(w, r, info)
	if direct {
		d.Direct(receiver, err)
	}
	switch {
	case err == nil && direct:
		return true
	case err == nil:
	case errors.Is(err, errAnswered):
		return false
	case errors.Is(err, transport.ErrRefused):
		refuse(w, http.StatusForbidden)
		return false
	case errors.Is(err, transport.ErrBusy):
		refuseBusy(w)
		return false
	default:
		if h.onError != nil {
			h.onError(w, r, err)
		} else {
			refuse(w, http.StatusForbidden)
		}
		return false
	}
	key, err := upgradeKey(r)
	if err != nil {
		h.mount.Book.Say(notice.UpgradeHeaders, h.mount.About(r, slog.String("error", err.Error()))...)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	h.srv.makeRoom()
	return h.upgrade(w, r, key, subprotocol, receiver)
}

// director is a ResponseWriter that has a connection already, as package channeltest's
// has: it is told what was decided and why, and takes a connection that was accepted,
// which is then not upgraded.
type director interface {
	Direct(receiver seam.Receiver, err error)
}

// errAnswered says that the request is answered already.
var errAnswered = errors.New("websocket: answered")

// accept asks the acceptor. A panic answers 500, and so does runtime.Goexit,
// which ends the goroutine of the request. The panic of http.ErrAbortHandler
// passes.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request, info *transport.ConnectInfo) (receiver seam.Receiver, err error) {
	returned, token := false, info.AuthToken
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == http.ErrAbortHandler {
			panic(v)
		}
		h.mount.Book.Say(notice.WebSocketAcceptor, h.mount.About(r, slog.Any("panic", redact.KnownPanic(v, token, info.Params)), redact.StackAttr())...)
		w.Header().Set("Connection", "close")
		refuse(w, http.StatusInternalServerError)
		_ = http.NewResponseController(w).Flush()                     // nobody else does after a Goexit
		err = fmt.Errorf("%w: acceptor panicked: %v", errAnswered, v) // for a director
	}()
	receiver, err = h.acceptor.Accept(info)
	returned = true
	if err == nil && receiver == nil {
		h.mount.Book.Say(notice.NoReceiver, h.mount.About(r)...)
		refuse(w, http.StatusInternalServerError)
		err = errAnswered
	}
	return receiver, err
}

// upgrade answers 101 and starts the connection. Nothing of the request is
// kept.
func (h *Handler) upgrade(w http.ResponseWriter, r *http.Request, key, subprotocol string, receiver seam.Receiver) bool {
	nc, rw, err := switchProtocols(w, r.Host, key, subprotocol, h.lim.write)
	if err != nil {
		why := slog.String("error", err.Error())
		if nc != nil {
			h.mount.Book.Say(notice.Gone, h.mount.About(r, why)...)
			_ = nc.Close()
		} else {
			h.mount.Book.Say(notice.Hijack, h.mount.About(r, why)...)
		}
		return false
	}
	h.srv.open(nc, receiver, h.lim, buffered(rw.Reader))
	return true
}

// buffered returns a copy of what a client sent right behind its handshake. The
// reader itself, with its buffer, is left to be collected.
func buffered(r *bufio.Reader) []byte {
	n := r.Buffered()
	if n == 0 {
		return nil
	}
	p, _ := r.Peek(n)
	return bytes.Clone(p)
}

// refuse answers with an empty body.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

// refuseBusy answers 503. Clients that obey come back spread over some seconds.
func refuseBusy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(5)))
	refuse(w, http.StatusServiceUnavailable)
}

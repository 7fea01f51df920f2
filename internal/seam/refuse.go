package seam

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/transport"
)

// Check makes the mount's checks, and logs why they refuse a request; see the func Check.
func (h *Host) Check(r *http.Request, vars map[string]string) (*transport.ConnectInfo, error) {
	info, err := Check(&h.Checks, r, vars, &h.Traits.Manner)
	if err != nil {
		h.sayRefused(r, err)
	}
	return info, err
}

// Ask calls the acceptor. A panic in it is logged and returned as a transport.ErrPanic;
// http.ErrAbortHandler is passed on. After runtime.Goexit, which ends the goroutine, Ask answers
// the request itself, unless w is nil.
func (h *Host) Ask(w http.ResponseWriter, r *http.Request, info *transport.ConnectInfo) (receiver Receiver, err error) {
	h.saySession(r, info)
	returned, token := false, info.AuthToken
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == http.ErrAbortHandler {
			panic(v)
		}
		shown := redact.KnownPanic(v, token, info.Params)
		h.Book.Say(h.Traits.AcceptorPanic, h.About(r, slog.Any("panic", shown), redact.StackAttr())...)
		err = fmt.Errorf("%w: %v", transport.ErrPanic, shown)
		if v == nil && w != nil {
			h.Refuse(w, r, err)
		}
	}()
	receiver, err = h.Acceptor.Accept(info)
	returned = true
	if err == nil && receiver == nil {
		h.Book.Say(notice.NoReceiver, h.About(r)...)
		err = fmt.Errorf("%w: it returned neither a receiver nor an error", transport.ErrPanic)
	}
	return receiver, err
}

// Refuse answers a request for which Check or Ask returned err.
func (h *Host) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, checked := err.(*transport.StatusError)
	switch {
	case checked:
		Refuse(w, status.Status)
	case errors.Is(err, refused.ErrRefused):
		Refuse(w, http.StatusForbidden)
	case errors.Is(err, transport.ErrBusy):
		RefuseBusy(w)
	case errors.Is(err, transport.ErrPanic):
		w.Header().Set("Connection", "close")
		Refuse(w, http.StatusInternalServerError)
		Flush(w) // after runtime.Goexit net/http does not
	case h.ErrorHandler != nil:
		h.ErrorHandler(w, r, err)
	default:
		Refuse(w, http.StatusForbidden)
	}
}

// Flush sends an answer whose status was written.
func Flush(w http.ResponseWriter) {
	// On a connection that was hijacked, Flush of net/http panics, and Write returns an error.
	if _, err := w.Write(nil); !errors.Is(err, http.ErrHijacked) {
		_ = http.NewResponseController(w).Flush()
	}
}

// Refuse answers with a status and an empty body.
func Refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

// RefuseBusy answers 503 with a Retry-After of 1 to 5 s, so that clients come back at different
// times.
func RefuseBusy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(5)))
	Refuse(w, http.StatusServiceUnavailable)
}

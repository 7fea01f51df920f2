package longpoll

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// localPost reports the result of a post to a client that is connected to this server. It
// implements reporter.
type localPost struct{ result chan int }

// handled implements reporter. The client of a local post needs no signs of life.
func (*localPost) handled() {}

// finished implements reporter. It does not block, since result has room.
func (p *localPost) finished(status int) { p.result <- status }

// isNDJSON reports whether a post has one message per line. The type must be exactly this, as
// clients expect.
func isNDJSON(r *http.Request) bool {
	lines := r.Header["Content-Type"]
	return len(lines) == 1 && lines[0] == "application/x-ndjson"
}

// post answers a POST: it reads the body, gives it to the session here or on another server, and
// waits for the result.
//
// The client gets one of these statuses in the envelope. 200 means that all messages are handled, or
// ignored beyond MaxBatch. 408 means that some may not be handled: there was no room, or no time. 410
// means that there is no such session. A body that cannot be read or has no messages is answered with
// the HTTP status 400.
func (h *handler) post(w http.ResponseWriter, r *http.Request, info *transport.ConnectInfo) {
	t, ok := h.token(r, info)
	var s *session
	elsewhere := false
	if ok {
		s, elsewhere = h.find(r, &t)
	}
	// The body is read all the same, since a client may not read the answer before it has sent all.
	if s == nil && !elsewhere {
		discard(w, r)
		h.answerStatus(w, statusGone)
		return
	}
	var addr string
	done := (<-chan struct{})(h.srv.closing)
	if s != nil {
		addr, done = s.addr, s.done
	} else {
		addr = h.clientAddr(r)
	}
	// The bytes count for the address of the session, which may be another than that of this
	// request.
	shares := h.sharesFor(t.session, addr)
	body, err := h.readBody(w, r, &shares, done)
	if err != nil {
		h.unread(w, r, addr, done, err)
		return
	}
	status := 0
	if elsewhere {
		status = h.relayPost(r, &t, isNDJSON(r), body)
		shares.release()
	} else {
		status = h.deliver(r, s, &t, &post{body: body, ndjson: isNDJSON(r), shares: shares, gone: r.Context().Done()})
	}
	switch {
	case status == statusGone && h.srv.refusing():
		h.host.Book.Say(notice.Draining, h.host.About(r)...)
		seam.RefuseBusy(w)
		return
	case status == statusGone:
		h.host.Book.Say(notice.SessionGone, h.host.About(r)...)
	case status == statusBad:
		seam.Refuse(w, http.StatusBadRequest)
		return
	}
	h.answerStatus(w, status)
}

// unread answers a post whose body could not be read, because of err. If it waited for room, done
// may have ended that.
func (h *handler) unread(w http.ResponseWriter, r *http.Request, addr string, done <-chan struct{}, err error) {
	full, isFull := errors.AsType[*noRoomError](err)
	ended := false
	select {
	case <-done:
		ended = true
	default:
	}
	switch {
	case isFull && h.srv.refusing():
		h.host.Book.Say(notice.Draining, h.host.About(r)...)
		discard(w, r)
		seam.RefuseBusy(w)
		return
	case isFull && ended:
		h.host.Book.Say(notice.SessionGone, h.host.About(r)...)
		discard(w, r)
		h.answerStatus(w, statusGone)
		return
	case isFull:
		h.host.Book.Say(notice.PostBytes, h.host.About(r, slog.String("bound", full.bound), slog.Int("limit", full.limit), notice.Foreign("counted_as", addr))...)
		h.srv.stats.unhandled.Add(1)
		discard(w, r)
		h.answerStatus(w, statusUnhandled)
		return
	case errors.Is(err, errTooLarge):
		h.host.Book.Say(notice.BodyTooLarge, h.host.About(r, slog.Int("limit", h.lim.maxBody))...)
		discard(w, r)
	default:
		h.host.Book.Say(notice.BodyCut, h.host.About(r, slog.String("error", err.Error()))...)
		w.Header().Set("Connection", "close")
	}
	h.srv.stats.badBodies.Add(1)
	seam.Refuse(w, http.StatusBadRequest)
}

// deliver gives a post to a session of this server and waits for the result, for a window and a
// little more.
func (h *handler) deliver(r *http.Request, s *session, t *token, p *post) (status int) {
	h.srv.stats.posts.Add(1)
	// With room for one result, so that the worker never waits for this goroutine.
	result := &localPost{make(chan int, 1)}
	p.result = result
	if status := s.add(t.number, p); status != 0 {
		s.refused(status)
		return status
	}
	timer := time.NewTimer(h.lim.window)
	defer timer.Stop()
	select {
	case status = <-result.result:
		return status
	case <-r.Context().Done():
	case <-timer.C:
	}
	// Otherwise the worker has begun, and each message has a window of its own.
	if s.withdraw(p) { // not begun: earlier posts take too long, or the client has gone
		s.unhandled(p.gone)
		return statusUnhandled
	}
	select {
	case status = <-result.result:
		return status
	case <-r.Context().Done(): // the worker sees that as p.gone
		return statusUnhandled
	}
}

package longpoll

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
)

// localPost is a post whose client is connected here.
type localPost struct{ result chan int }

func (*localPost) handled()              {}
func (p *localPost) finished(status int) { p.result <- status }

// isNDJSON reports whether a post has a message a line. The type must be
// exactly that, as clients expect it.
func isNDJSON(r *http.Request) bool {
	lines := r.Header["Content-Type"]
	return len(lines) == 1 && lines[0] == "application/x-ndjson"
}

func (h *Handler) post(w http.ResponseWriter, r *http.Request, info *transport.ConnectInfo) {
	t, ok := h.token(r, info)
	var s *session
	elsewhere := false
	if ok {
		s, elsewhere = h.find(r, &t)
	}
	if s == nil && !elsewhere {
		discard(w, r)
		h.answerStatus(w, statusGone)
		return
	}
	body, err := h.readBody(w, r)
	if err != nil {
		h.srv.stats.badBodies.Add(1)
		if errors.Is(err, errTooLarge) {
			h.mount.Book.Say(notice.BodyTooLarge, h.mount.About(r, slog.Int("limit", h.lim.maxBody))...)
			discard(w, r)
		} else {
			h.mount.Book.Say(notice.BodyCut, h.mount.About(r, slog.String("error", err.Error()))...)
			w.Header().Set("Connection", "close")
		}
		refuse(w, http.StatusBadRequest)
		return
	}
	status := 0
	if elsewhere {
		status = h.relayPost(r.Context(), &t, isNDJSON(r), body)
	} else {
		status = h.deliver(r, s, &t, body)
	}
	switch status {
	case statusGone:
		h.mount.Book.Say(notice.SessionGone, h.mount.About(r)...)
	case statusBad:
		refuse(w, http.StatusBadRequest)
		return
	}
	h.answerStatus(w, status)
}

// deliver hands a post to a session of this server and waits for the result.
func (h *Handler) deliver(r *http.Request, s *session, t *token, body []byte) (status int) {
	h.srv.stats.posts.Add(1)
	result := &localPost{make(chan int, 1)}
	p := &post{body: body, ndjson: isNDJSON(r), result: result}
	if status := s.add(t.number, p); status != 0 {
		s.refused(status)
		return status
	}
	timer := time.NewTimer(h.lim.window)
	defer timer.Stop()
	select {
	case status = <-result.result:
		return status
	case <-r.Context().Done(): // it was received, so it is carried out
		return statusUnhandled
	case <-timer.C:
	}
	if s.withdraw(p) { // those before it take too long
		h.mount.Book.Say(notice.PostUnhandled, s.about()...)
		h.srv.stats.unhandled.Add(1)
		return statusUnhandled
	}
	select {
	case status = <-result.result:
		return status
	case <-r.Context().Done():
		return statusUnhandled
	}
}

package longpoll

import (
	"context"
	"net/http"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// localPoll is a poll whose client is connected here.
type localPoll struct{ woken chan struct{} }

func (p *localPoll) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func (*localPoll) serverClosing() {} // it looks at Server.closing

// poll answers a GET for a session of this server. It reports false when there
// is no such session any more, and has answered nothing then.
func (h *Handler) poll(w http.ResponseWriter, r *http.Request, s *session, t *token) bool {
	p := &localPoll{woken: make(chan struct{}, 1)}
	again, ok := s.poll(t.number, p)
	if !ok {
		return false
	}
	h.srv.stats.polls.Add(1)
	if again != nil {
		_ = h.answerBatch(w, t, again)
		return true
	}
	b, ok := h.wait(r.Context(), s, p)
	if !ok && h.srv.refusing() {
		// Not 204: a client that goes on with its token at the server which takes
		// over, and gets another there, may not notice that its channels are gone.
		h.mount.Book.Say(notice.Draining, h.mount.About(r)...)
		refuseBusy(w)
		return true
	}
	if !ok {
		// The client's own token, which has not changed.
		_ = h.answer(w, statusNoData, h.srv.keys.seal(t), nil)
		return true
	}
	if err := h.answerBatch(w, t, &b); err != nil {
		s.broken(p)
	}
	return true
}

// wait waits for data until the window is over, or the client or the server
// goes away.
func (h *Handler) wait(ctx context.Context, s *session, p *localPoll) (b batch, ok bool) {
	defer s.leave(p)
	timer := time.NewTimer(h.lim.window)
	defer timer.Stop()
	for last := false; ; {
		if ctx.Err() != nil { // what it took would be lost
			return b, false
		}
		if b, ok = s.take(p); ok || last {
			return b, ok
		}
		select {
		case <-p.woken:
		case <-timer.C:
			last = true
		case <-h.srv.closing:
			last = true
		case <-ctx.Done():
		}
	}
}

// answerBatch answers a poll with a batch and the token that proves its receipt.
func (h *Handler) answerBatch(w http.ResponseWriter, t *token, b *batch) error {
	next := *t
	next.number = b.number
	return h.answer(w, statusOK, h.srv.keys.seal(&next), b.messages)
}

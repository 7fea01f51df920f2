package longpoll

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
)

// localPoll is a poll whose client is connected to this server. It implements waiter.
type localPoll struct {
	ses       *session
	woken     chan struct{} // has an entry when the session wakes the poll
	dismissed atomic.Bool   // dismiss was called
	batch     *batch        // of the answer; nil when at most its last part is left to write

	mu      sync.Mutex               // guards the fields below
	control *http.ResponseController // not nil while the answer is being written
	last    time.Time                // when the whole answer must be written; zero if there is no bound
}

// wake implements waiter.
func (p *localPoll) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// serverClosing implements waiter. It does nothing: wait looks at server.closing.
func (*localPoll) serverClosing() {}

// isOver implements waiter. A local poll calls leave when it is over.
func (*localPoll) isOver() bool { return false }

// dismiss implements waiter.
func (p *localPoll) dismiss() {
	p.dismissed.Store(true)
	p.wake()
	p.ses.srv.tasks.Go(p.cut)
}

// cut stops the writing of the answer. It runs in a goroutine because dismiss must not block.
func (p *localPoll) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.control != nil {
		_ = p.control.SetWriteDeadline(time.Now())
	}
}

// errDismissed means that later polls have overtaken one while its answer was being written.
var errDismissed = errors.New("longpoll: the poll was overtaken")

// allow sets the write deadline for the next part of the answer. After the end of the session, the
// rest of the answer has only the time of one part.
func (p *localPoll) allow(control *http.ResponseController, deadline time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dismissed.Load() {
		return errDismissed
	}
	select {
	case <-p.ses.done:
		if p.last.IsZero() {
			p.last = deadline
		}
		deadline = p.last
	default:
	}
	p.control = control
	_ = control.SetWriteDeadline(deadline) // not every ResponseWriter can
	return nil
}

// lastPart is called when at most one part of the answer is left to write. It makes room for the
// next messages: a client that has read the whole answer finds it.
func (p *localPoll) lastPart() {
	if p != nil && p.batch != nil {
		p.ses.written(p.batch)
		p.batch = nil
	}
}

// finish is called when nothing more is written. p may be nil, as in lastPart.
func (p *localPoll) finish() {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.control = nil
	}
}

// poll answers a poll of a session of this server. It reports false, without an answer, if there is
// no such session any more.
//
// Its steps: session.poll checks the token, which acknowledges earlier batches. If the client has
// missed the last batch, it gets that again at once. Otherwise the poll becomes the waiter of the
// session, and wait returns when there is a batch, when the window is over (204), or when the server
// closes (503). The answer is written in parts, each with its own deadline; if that fails, broken
// decides whether the client can ask for the batch again.
func (h *handler) poll(w http.ResponseWriter, r *http.Request, s *session, t *token) bool {
	p := &localPoll{ses: s, woken: make(chan struct{}, 1)}
	again, newer, ok := s.poll(t.number, p)
	if !ok {
		return false
	}
	defer s.leave(p)
	defer p.finish()
	if newer != nil && !s.overtaken(newer, r.Context().Done()) {
		return false
	}
	h.srv.stats.polls.Add(1)
	if again != nil {
		_ = h.answerBatch(w, t, again, p)
		return true
	}
	b, ok := h.wait(r.Context(), s, p)
	if !ok && h.srv.refusing() {
		// Not 204: a client that presents its token to the server that takes over gets a new one
		// there, and may not notice that its channels are gone.
		h.host.Book.Say(notice.Draining, h.host.About(r)...)
		seam.RefuseBusy(w)
		return true
	}
	if !ok {
		if p.dismissed.Load() {
			w.Header().Set("Connection", "close")
		}
		// With the client's own token, which has not changed.
		_ = h.answer(w, statusNoData, h.srv.keys.seal(t), nil, nil)
		return true
	}
	if err := h.answerBatch(w, t, &b, p); err != nil {
		s.broken(p)
	}
	return true
}

// wait waits for messages until the window is over, the poll is dismissed, or the client or the
// server goes away.
func (h *handler) wait(ctx context.Context, s *session, p *localPoll) (b batch, ok bool) {
	timer := time.NewTimer(h.lim.window)
	defer timer.Stop()
	for last := false; ; {
		if ctx.Err() != nil { // messages taken now would be lost
			return b, false
		}
		// Once more after the end of the window: a message may have come at that moment.
		if b, ok = s.take(p); ok || last || p.dismissed.Load() {
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

// answerBatch answers a poll with a batch and the token that proves its receipt. p is nil for a
// session of another server.
func (h *handler) answerBatch(w http.ResponseWriter, t *token, b *batch, p *localPoll) error {
	if p != nil {
		p.batch = b
		defer p.ses.answered()
		defer p.lastPart()
	}
	next := *t
	next.number = b.number
	return h.answer(w, statusOK, h.srv.keys.seal(&next), b.messages, p)
}

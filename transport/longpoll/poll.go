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

// localPoll is a poll whose client is connected here.
type localPoll struct {
	ses       *session
	woken     chan struct{}
	dismissed atomic.Bool
	batch     *batch // that it is answered with; nil when no more than a part of it is to be written

	mu      sync.Mutex
	control *http.ResponseController // while the answer is being written
	last    time.Time                // all of the answer must be written by then; zero for no such bound
}

func (p *localPoll) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func (*localPoll) serverClosing() {} // it looks at Server.closing

func (*localPoll) isOver() bool { return false } // it leaves

// dismiss implements waiter.
func (p *localPoll) dismiss() {
	p.dismissed.Store(true)
	p.wake()
	p.ses.srv.tasks.Go(p.cut)
}

// cut ends the writing of the answer.
func (p *localPoll) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.control != nil {
		_ = p.control.SetWriteDeadline(time.Now())
	}
}

// errDismissed says that newer polls have overtaken one while its answer was being written.
var errDismissed = errors.New("longpoll: the poll was overtaken")

// allow sets the deadline for the next part of the answer. After the end of its session the
// rest of an answer has no more time than a part of it.
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

// lastPart says that no more than one part of the answer is still to be written. A client that has
// read all of it finds room for the next messages.
func (p *localPoll) lastPart() {
	if p != nil && p.batch != nil {
		p.ses.written(p.batch)
		p.batch = nil
	}
}

// finish says that nothing more is written.
func (p *localPoll) finish() {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.control = nil
	}
}

// poll answers a GET for a session of this server. It reports false when there
// is no such session any more, and has answered nothing then.
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
		// Not 204: a client that goes on with its token at the server which takes
		// over, and gets another there, may not notice that its channels are gone.
		h.host.Book.Say(notice.Draining, h.host.About(r)...)
		seam.RefuseBusy(w)
		return true
	}
	if !ok {
		if p.dismissed.Load() {
			w.Header().Set("Connection", "close")
		}
		// The client's own token, which has not changed.
		_ = h.answer(w, statusNoData, h.srv.keys.seal(t), nil, nil)
		return true
	}
	if err := h.answerBatch(w, t, &b, p); err != nil {
		s.broken(p)
	}
	return true
}

// wait waits for data until the window is over, the poll is dismissed, or the client or the server
// goes away.
func (h *handler) wait(ctx context.Context, s *session, p *localPoll) (b batch, ok bool) {
	timer := time.NewTimer(h.lim.window)
	defer timer.Stop()
	for last := false; ; {
		if ctx.Err() != nil { // what it took would be lost
			return b, false
		}
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

// answerBatch answers a poll with a batch and the token that proves its receipt. The poll is nil
// for the session of another server.
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

package longpoll

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/pubsub"
)

// call is a request to the server that has a session, in the name of a client
// that is connected here.
type call struct {
	srv     *server
	token   *token
	request id
	limit   int           // of body; 0 for a post, to which no batch is an answer
	has     share         // of the server's answers, for body
	news    chan struct{} // something below has changed

	mu     sync.Mutex
	over   bool
	acks   int
	status int // 200 for a whole batch; 0 while there is none
	number uint64
	body   []byte
	parts  uint32
}

// call begins a request, which hangUp ends. It returns nil when no server can
// have the session.
func (s *server) call(t *token, limit int) *call {
	if s.pubsub == nil || t.node == s.node && s.pubsub.Subscribers(s.keys.topic(t.boot)) == 0 {
		return nil
	}
	c := &call{srv: s, token: t, request: newID(), limit: limit, news: make(chan struct{}, 1)}
	s.stats.relayed.Add(1)
	s.attach()
	r := &s.route
	r.callMu.Lock()
	defer r.callMu.Unlock()
	if r.calls == nil {
		r.calls = make(map[id]*call)
	}
	r.calls[c.request] = c
	return c
}

// hangUp takes no more answers.
func (c *call) hangUp() {
	r := &c.srv.route
	r.callMu.Lock()
	_, open := r.calls[c.request]
	delete(r.calls, c.request)
	r.callMu.Unlock()
	if !open {
		return
	}
	c.srv.detach()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true // whatever still comes is not kept
}

// forget gives back the share of the body, which is kept no longer.
func (c *call) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has.budget != nil {
		c.has.releaseAll()
	}
}

// send sends a message of the request, and waits for a place until ctx ends.
func (c *call) send(ctx context.Context, m message) error {
	c.address(&m)
	return c.srv.sendWithin(ctx, c.token.node, c.token.boot, &m)
}

// tell sends a message of the request if there is place for it.
func (c *call) tell(m message) {
	c.address(&m)
	_ = c.srv.send(c.token.node, c.token.boot, &m)
}

func (c *call) address(m *message) {
	m.request, m.session = c.request, c.token.session
	m.boot, m.node, m.number = c.srv.boot, c.srv.node, c.token.number
}

// giveUp ends the request and tells the owner that nobody waits any more. A batch
// that is on its way is not lost then.
func (c *call) giveUp() {
	c.hangUp()
	c.tell(message{kind: kindGone})
}

// answered takes an answer. One to no call is late.
func (s *server) answered(m *message) {
	r := &s.route
	r.callMu.Lock()
	c := r.calls[m.request]
	r.callMu.Unlock()
	if c == nil {
		return
	}
	if !c.take(m) {
		s.book.Say(notice.RelayGarbage, slog.String("node", c.token.node))
		s.stats.garbage.Add(1)
	}
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// take reports false for an answer that does not fit to those before it.
func (c *call) take(m *message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
		return true
	case c.status != 0:
		return m.kind == kindAck // sent earlier by another goroutine
	}
	c.acks++
	switch m.kind {
	case kindNack:
		c.status = statusGone
	case kindDone:
		c.status = m.status
	case kindBatch:
		if c.limit == 0 || m.part != c.parts || len(m.body) > c.limit-len(c.body) || m.part > 0 && m.number != c.number {
			return false
		}
		if c.has.take(context.Background(), nil, len(m.body), 0) != "" {
			c.status = statusUnhandled
			return true
		}
		c.parts++
		c.number = m.number
		c.body = append(c.body, m.body...)
		if m.last {
			c.status = statusOK
		}
	}
	return true
}

// await waits for the status, or as long as signs of life come within each
// span. If enough is not 0, it waits for so many signs at most. It returns 0 when the time is
// over or the client or this server goes away.
func (c *call) await(ctx context.Context, span time.Duration, enough int) (status int, alive bool) {
	timer := time.NewTimer(span)
	defer timer.Stop()
	for seen, over := 0, false; ; {
		c.mu.Lock()
		status, acks := c.status, c.acks
		c.mu.Unlock()
		if status != 0 || enough > 0 && acks >= enough {
			return status, true
		}
		if acks != seen {
			seen, over = acks, false
			timer.Reset(span)
		}
		if over {
			return 0, false
		}
		select {
		case <-c.news:
		case <-timer.C:
			over = true // unless something came at the last moment
		case <-ctx.Done():
			over = true
		case <-c.srv.closing:
			over = true
		}
	}
}

// relayPoll answers a poll for a session of another server. It reports false
// when that has none, and has answered nothing then.
func (h *handler) relayPoll(w http.ResponseWriter, r *http.Request, t *token) bool {
	limit := h.lim.answerBytes
	c := h.srv.call(t, limit)
	if c == nil {
		return false
	}
	c.has = share{
		budget: &h.srv.answers, session: t.session, addr: h.clientAddr(r),
		sessionMost: twice(limit), addrMost: max(twice(limit), h.lim.bytesPerAddress),
	}
	defer c.forget()
	defer c.hangUp()
	began := time.Now()
	first, cancel := context.WithTimeout(r.Context(), h.lim.pubsub)
	err := c.send(first, message{kind: kindPoll, mount: h.index})
	cancel()
	if err != nil {
		c.lost(r.Context(), h, err)
		return false
	}
	status, alive := c.await(r.Context(), h.lim.pubsub, 1)
	if status == statusGone {
		return false
	}
	if !alive {
		c.giveUp()
		if r.Context().Err() != nil {
			seam.RefuseBusy(w) // to nobody
			return true
		}
		c.lost(r.Context(), h, errNoAnswer)
		return false
	}
	var messages [][]byte
	if status, _ = c.awaitUntil(r.Context(), began.Add(h.lim.window)); status == statusOK {
		if len(c.body) > earnest {
			c.tell(message{kind: kindTaken})
		}
		if messages, err = splitMessages(c.body); err != nil {
			h.host.Book.Say(notice.RelayGarbage, h.host.About(r, slog.String("node", t.node), slog.String("error", err.Error()))...)
			h.srv.stats.garbage.Add(1)
		}
	}
	switch {
	case status == statusGone: // the token is an old one
		return false
	case status == statusClosing || messages == nil && h.srv.refusing():
		h.host.Book.Say(notice.Draining, h.host.About(r, slog.String("node", t.node))...)
		c.giveUp()
		seam.RefuseBusy(w)
		return true
	case status == statusUnhandled: // the owner keeps what has found no room here
		h.host.Book.Say(notice.RelayBusy, h.host.About(r, slog.String("node", t.node))...)
		c.giveUp()
		seam.RefuseBusy(w)
		return true
	case messages == nil || r.Context().Err() != nil:
		c.giveUp()
		if status == statusNoData { // newer polls have overtaken it
			w.Header().Set("Connection", "close")
		}
		_ = h.answer(w, statusNoData, h.srv.keys.seal(t), nil, nil)
		return true
	}
	if err := h.answerBatch(w, t, &batch{number: c.number, messages: messages}, nil); err != nil {
		c.tell(message{kind: kindBroken})
	}
	return true
}

// awaitUntil is await with a fixed end.
func (c *call) awaitUntil(ctx context.Context, end time.Time) (status int, alive bool) {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	return c.await(ctx, math.MaxInt64, 0)
}

// relayPost hands a post to the server that has the session, and returns the
// status to answer with. It waits for those before it that are on their way.
func (h *handler) relayPost(r *http.Request, t *token, ndjson bool, body []byte) (status int) {
	ctx := r.Context()
	flight := h.srv.flight()
	if flight.take(ctx, h.srv.closing, min(len(body), h.srv.flights.most), h.lim.window) != "" {
		if ctx.Err() == nil {
			h.host.Book.Say(notice.RelayBusy, h.host.About(r, slog.String("node", t.node))...)
		}
		return statusUnhandled
	}
	defer flight.releaseAll()
	c := h.srv.call(t, 0)
	if c == nil {
		return statusGone
	}
	defer c.hangUp()
	if status = h.sendPost(ctx, c, ndjson, body, &flight); status != 0 {
		return status
	}
	// The post may wait for one before it, and each of its messages for the
	// window.
	status, _ = c.await(ctx, 2*h.lim.window+h.lim.pubsub, 0)
	if status == 0 {
		c.giveUp()
		c.lost(ctx, h, errNoAnswer)
		return statusUnhandled
	}
	return status
}

// sendPost sends the parts of a post, and gives the flight back when they have arrived. It
// returns the status when there is one already.
func (h *handler) sendPost(ctx context.Context, c *call, ndjson bool, body []byte, flight *share) (status int) {
	wait, cancel := context.WithTimeout(ctx, h.lim.window)
	defer cancel()
	signs := 1
	for i, piece := range parts(body) {
		m := message{kind: kindPart, part: uint32(i), body: piece}
		if i == 0 {
			m = message{kind: kindPost, mount: h.index, size: uint32(len(body)), ndjson: ndjson, body: piece}
		}
		m.last = (i+1)*partBytes >= len(body)
		if err := c.send(wait, m); err != nil {
			c.giveUp()
			c.lost(ctx, h, err)
			if errors.Is(err, pubsub.ErrBufferFull) {
				return statusUnhandled
			}
			return statusGone
		}
		if i > 0 {
			signs = 2
			continue
		}
		// Nothing more is sent to a server that may not be there.
		status, alive := c.await(ctx, h.lim.pubsub, signs)
		switch {
		case status != 0:
			return status
		case !alive:
			c.giveUp()
			c.lost(ctx, h, errNoAnswer)
			if ctx.Err() != nil {
				return statusUnhandled
			}
			return statusGone
		}
	}
	status, _ = c.await(ctx, h.lim.pubsub, signs)
	flight.releaseAll()
	return status
}

// errNoAnswer says that the other server did not answer in time.
var errNoAnswer = errors.New("longpoll: the node that has the session did not answer in time")

// lost says that the server which has the session could not be reached, unless the client or
// this server goes away.
func (c *call) lost(ctx context.Context, h *handler, err error) {
	if ctx.Err() == nil && !c.srv.refusing() {
		h.host.Book.Say(notice.RelayLost, h.host.Where(slog.String("node", c.token.node), slog.String("error", err.Error()))...)
	}
}

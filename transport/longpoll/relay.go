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

// call is a request to the owner of a session, for a client that is connected to this server.
//
// It is in server.route.calls from call to hangUp, under its random id, by which answers find it.
// The adapter's goroutine applies answers with take; the goroutine of the client's request waits for
// them with await.
type call struct {
	srv     *server
	token   *token
	request id
	limit   int           // bound of body; 0 for a post, which no batch answers
	has     share         // of server.answers, for body
	news    chan struct{} // has an entry when a field below has changed

	mu     sync.Mutex // guards the fields below
	over   bool       // hangUp was called
	acks   int        // answers so far
	status int        // of the last answer; 200 for a complete batch, 0 while there is none
	number uint64     // of the batch
	body   []byte
	parts  uint32 // parts of the batch that have arrived
}

// call begins a request, which hangUp ends. It returns nil if no server can have the session.
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

// hangUp ends a request: further answers are ignored. It may be called again.
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
	// Answers are applied without callMu, so one may be on its way from the table to the call.
	c.over = true // an answer that is being handled is not kept
}

// forget gives back the room of the body, which is not used any more.
func (c *call) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has.budget != nil {
		c.has.releaseAll()
	}
}

// send sends a message of the request. It waits for room in the adapter's buffer until ctx ends.
func (c *call) send(ctx context.Context, m message) error {
	c.address(&m)
	return c.srv.sendWithin(ctx, c.token.node, c.token.boot, &m)
}

// tell sends a message of the request, unless the adapter's buffer is full.
func (c *call) tell(m message) {
	c.address(&m)
	_ = c.srv.send(c.token.node, c.token.boot, &m)
}

// address sets the fields of a message that are the same in all messages of the request.
func (c *call) address(m *message) {
	m.request, m.session = c.request, c.token.session
	m.boot, m.node, m.number = c.srv.boot, c.srv.node, c.token.number
}

// giveUp ends the request and tells the owner that nobody waits any more, so that a batch on its
// way is not lost.
func (c *call) giveUp() {
	c.hangUp()
	c.tell(message{kind: kindGone})
}

// answered handles an answer. If there is no such call, it is late and ignored.
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

// take applies an answer. It reports false for one that does not fit those before it.
func (c *call) take(m *message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
		return true
	case c.status != 0:
		return m.kind == kindAck // may be sent before the last answer, and arrive after it
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

// await waits for the status of the request, as long as answers arrive within each span. If enough
// is not 0, it waits for at most so many answers. It returns 0 and false if none came in time, or
// the client or this server goes away.
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
			over = true // looks at the answers once more
		case <-ctx.Done():
			over = true
		case <-c.srv.closing:
			over = true
		}
	}
}

// relayPoll answers a poll for a session of another server. It reports false, without an answer, if
// that has no such session.
//
// It sends the poll and waits for a first answer, PubSubTimeout at most: then the other server is
// there, and has the session. After that it waits for the batch, until the window is over. A client
// that went away, or could not be answered, is reported to the owner, which keeps the batch.
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
	// The room in the adapter's buffer and the first answer each have PubSubTimeout.
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
			seam.RefuseBusy(w) // the client has gone
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
	case status == statusGone: // the session has ended, because of an old token
		return false
	case status == statusClosing || messages == nil && h.srv.refusing():
		h.host.Book.Say(notice.Draining, h.host.About(r, slog.String("node", t.node))...)
		c.giveUp()
		seam.RefuseBusy(w)
		return true
	case status == statusUnhandled: // no room for the batch here; the owner keeps it
		h.host.Book.Say(notice.RelayBusy, h.host.About(r, slog.String("node", t.node))...)
		c.giveUp()
		seam.RefuseBusy(w)
		return true
	case messages == nil || r.Context().Err() != nil:
		c.giveUp()
		if status == statusNoData { // later polls have overtaken it
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

// awaitUntil is await with a fixed end, without a need for signs of life.
func (c *call) awaitUntil(ctx context.Context, end time.Time) (status int, alive bool) {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	return c.await(ctx, math.MaxInt64, 0)
}

// relayPost passes a post to the owner of its session, and returns the status to answer with. It
// waits for room in flights first.
// The owner reports that it works on the post from time to time, so a long post need not be done
// within one window.
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
	// The post may wait for an earlier one, and each of its messages for the window.
	status, _ = c.await(ctx, 2*h.lim.window+h.lim.pubsub, 0)
	if status == 0 {
		c.giveUp()
		c.lost(ctx, h, errNoAnswer)
		return statusUnhandled
	}
	return status
}

// sendPost sends the parts of a post, and gives the flight back when they have arrived. It returns
// the status if it is known then, or 0.
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
		// Further parts are sent only to a server that has answered the first.
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

// errNoAnswer means that the other server did not answer in time.
var errNoAnswer = errors.New("longpoll: the node that has the session did not answer in time")

// lost counts and logs that the owner of the session could not be reached, unless the client or
// this server goes away.
func (c *call) lost(ctx context.Context, h *handler, err error) {
	if ctx.Err() == nil && !c.srv.refusing() {
		h.host.Book.Say(notice.RelayLost, h.host.Where(slog.String("node", c.token.node), slog.String("error", err.Error()))...)
	}
}

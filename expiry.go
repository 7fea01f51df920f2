package bennu

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Events about the expiry of a connection.
const (
	// EventAccessToken is pushed by a client, on any topic it has joined or on
	// "phoenix", with {"access_token": token}, to renew its authentication.
	EventAccessToken = "access_token"
	// EventTokenExpired is pushed to every joined channel, and on "phoenix", when the
	// authentication has expired, with {"closes_in": seconds}.
	EventTokenExpired = "token_expired"
)

// ErrExpired is the reason of a connection whose authentication was not renewed.
var ErrExpired = errors.New("bennu: the connection's authentication has expired")

// renewTimeout ends the context of a Renew callback.
const renewTimeout = 5 * time.Second

// ExpireAt sets when the client's authentication expires: then it is warned with
// token_expired, and SocketHandler.ExpiryGrace later the connection closes with
// 1008, unless ExpireAt is called again with a later time, as it is after a
// successful Renew. The zero time means never, which is also the default.
func (s *Socket) ExpireAt(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Without its monotonic part: a token expires by the clock on the wall.
	s.expiryLocked().at = t.Round(0)
	s.armLocked(until(t.Round(0)))
}

// expiry is the authentication's end of one socket, guarded by the socket's lock.
type expiry struct {
	at       time.Time
	timer    *time.Timer
	renewing *renewal // that runs, or nil
	warning  *warning // that runs, or nil
}

func (s *Socket) expiryLocked() *expiry {
	if s.expiry == nil {
		s.expiry = new(expiry)
	}
	return s.expiry
}

func until(t time.Time) time.Duration { return t.Sub(time.Now().Round(0)) }

// armLocked makes expire look at the clock after a while, and at no other time.
func (s *Socket) armLocked(wait time.Duration) {
	e := s.expiry
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	if s.conn != nil && !s.closed && !e.at.IsZero() {
		e.timer = time.AfterFunc(wait, s.expire)
	}
}

// startExpiry arms what Connect has set.
func (s *Socket) startExpiry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expiry != nil {
		s.armLocked(until(s.expiry.at))
	}
}

// stopExpiry is called when the socket is closed.
func (s *Socket) stopExpiry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expiry == nil {
		return
	}
	s.armLocked(0)
	if r := s.expiry.renewing; r != nil {
		r.cancel()
		r.watchLocked()
	}
}

// expire warns at the time of expiry and closes after the grace. A timer measures
// the time that passed, and tokens go by the wall, so the clock is asked again.
func (s *Socket) expire() {
	grace := s.handler.expiryGrace
	s.mu.Lock()
	if s.closed || s.expiry.at.IsZero() {
		s.mu.Unlock()
		return
	}
	left := until(s.expiry.at)
	if left <= -grace {
		s.mu.Unlock()
		s.at("", "").say(notice.Expired, slog.Int("code", int(transport.ClosePolicy)))
		s.close(transport.ClosePolicy, ErrExpired)
		return
	}
	wait := left
	if left <= 0 {
		wait = left + grace
	}
	s.armLocked(wait)
	s.mu.Unlock()
	if left <= 0 {
		s.warnOfExpiry(wait)
	}
}

type closesIn struct {
	Seconds int `json:"closes_in"`
}

// warning tells the channels of one socket, in the order of their topics, that its
// authentication has expired. There may be more of them than the connection's queue takes, so
// it goes at the pace of the client. A socket has one at most.
type warning struct {
	s     *Socket
	last  *Channel        // that was told
	again bool            // begin with the first channel once more; guarded by the socket's lock
	low   <-chan struct{} // of the connection's queue, to wait for
}

// warnOfExpiry tells "phoenix", and then the channels. A warning that still runs begins again.
func (s *Socket) warnOfExpiry(left time.Duration) {
	p, err := encode(closesIn{int(math.Ceil(left.Seconds()))})
	if err != nil {
		return // numbers always encode
	}
	if f, err := pushFrame(s.serializer, &wire.Push{Topic: wire.TopicPhoenix, Event: EventTokenExpired, Payload: p}); err == nil {
		s.conn.Send(f)
	} else {
		s.at(wire.TopicPhoenix, EventTokenExpired).say(notice.NotEncoded, slog.String("error", textOf(err)))
	}
	s.mu.Lock()
	runs := s.expiry.warning
	if runs != nil {
		runs.again = true
		s.mu.Unlock()
		return
	}
	w := &warning{s: s}
	s.expiry.warning = w
	s.mu.Unlock()
	if w.push(p) {
		s.node.tasks.Start(w)
	}
}

// Run is called by the task group. It ends with the connection at the latest.
func (w *warning) Run() {
	for {
		<-w.low
		w.s.mu.Lock()
		left := until(w.s.expiry.at) + w.s.handler.expiryGrace
		w.s.mu.Unlock()
		p, err := encode(closesIn{max(0, int(math.Ceil(left.Seconds())))})
		if err != nil || !w.push(p) {
			return // numbers always encode
		}
	}
}

// push tells as many channels as the queue has room for, and reports whether there are more.
func (w *warning) push(p Payload) bool {
	for c := w.next(); c != nil; c = w.next() {
		low, err := c.offer(EventTokenExpired, p.Data) // one that is not joined has nobody to warn
		if low != nil {
			w.low = low
			return true
		}
		if errors.Is(err, pace.ErrTooLarge) {
			_ = c.Push(EventTokenExpired, p) // which says so if it does not fit at all
		}
		w.last = c
	}
	return false
}

// next is the channel to be told next. When it is nil the warning is over: all are told, the
// connection has ended, or its authentication was renewed.
func (w *warning) next() *Channel {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.again {
		w.again, w.last = false, nil
	}
	i := 0
	if w.last != nil {
		var found bool
		if i, found = s.findLocked(w.last.topic); found {
			i++
		}
	}
	if s.closed || i == len(s.channels) || until(s.expiry.at) > 0 || s.expiry.at.IsZero() {
		s.expiry.warning = nil
		return nil
	}
	return s.channels[i]
}

// renewal is one access_token push being carried out.
type renewal struct {
	s        *Socket
	m        wire.Message
	joinRef  wire.Ref
	ctx      context.Context
	cancel   context.CancelFunc
	watchdog *time.Timer // of a Renew that has outlived its connection; guarded by the socket's lock
	done     bool
	token    *string // that Renew has got, and may quote
}

// renew takes an access_token push, if the handler wants them. It reports whether
// it has.
func (s *Socket) renew(m *wire.Message, c *Channel) bool {
	if s.handler.renew == nil || m.Event != EventAccessToken {
		return false
	}
	r := &renewal{s: s, m: *m}
	switch {
	case c == nil && m.Topic != wire.TopicPhoenix:
		return false
	case c != nil && !m.JoinRef.IsNull() && m.JoinRef != c.tableRef():
		return false // deliver drops it like any other of an old join
	case c != nil:
		r.joinRef = c.joinRef
	}
	most := s.node.admission.limits.LateCallbacks
	if s.handler.lateRenews.Load() >= int64(most) {
		r.at().say(notice.LateRenews, slog.Int("limit", most))
		r.answer(&Error{Reason: "busy"})
		return true
	}
	s.mu.Lock()
	busy, open := s.expiry != nil && s.expiry.renewing != nil, !s.closed
	if !busy && open {
		r.ctx, r.cancel = context.WithTimeout(s.node.ctx, renewTimeout)
		s.expiryLocked().renewing = r
	}
	s.mu.Unlock()
	switch {
	case busy:
		r.at().say(notice.RenewBusy)
		r.answer(&Error{Reason: "busy"})
	case open:
		s.retain()
		s.node.tasks.Start(r)
	}
	return true
}

// Run is called by the task group.
func (r *renewal) Run() {
	defer r.s.release()
	defer func() {
		if r.done {
			return
		}
		// Renew, or a method of what it returned, panicked or called runtime.Goexit.
		reason := newPanicError(recover())
		r.free()
		attrs := errorAttrs(reason)
		attrs[0] = slog.String("error", redact.Known(textOf(reason), r.token, nil))
		r.at().say(notice.RenewCrash, attrs...)
		r.refuse(errInternal)
	}()
	err := r.renew()
	// Before the answer, upon which a client may send the next.
	r.free()
	r.answer(err)
	r.done = true
}

// at is the renewal as a place for the log.
func (r *renewal) at() place {
	return place{s: r.s, topic: r.m.Topic, callback: "renew", event: EventAccessToken}
}

// free lets another renewal begin.
func (r *renewal) free() {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expiry.renewing != r {
		return
	}
	s.expiry.renewing = nil
	r.cancel()
	if r.watchdog != nil {
		r.watchdog.Stop()
		s.node.lingering.remove(r)
		s.handler.lateRenews.Add(-1)
	}
}

// watchLocked counts a Renew that runs on after its connection has ended, and arms the watchdog.
func (r *renewal) watchLocked() {
	s := r.s
	s.handler.lateRenews.Add(1)
	s.node.lingering.add(r, r.m.Topic)
	r.watchdog = time.AfterFunc(s.handler.limits.HandlerGrace, func() {
		s.mu.Lock()
		over, reason := s.expiry.renewing != r, s.reason
		s.mu.Unlock()
		if !over {
			r.at().say(notice.Stuck, slog.String("reason", textOf(reason)), slog.Any("stack", stackOf{r}))
		}
	})
}

func (r *renewal) renew() error {
	var in struct {
		Token *string `json:"access_token"`
	}
	if r.m.Payload.Binary {
		return &payloadError{err: errors.New("want JSON, got binary")}
	}
	if err := json.Unmarshal(r.m.Payload.Data, &in); err != nil {
		return decodeError(err)
	}
	r.m.Payload = Payload{} // a Renew that runs on shall not keep what it does not need
	if in.Token == nil {
		return &payloadError{field: "access_token", err: errors.New("missing")}
	}
	r.token = in.Token
	expires, err := r.s.handler.renew(r.ctx, r.s, *in.Token)
	if err = withoutNil(err); err == nil {
		r.s.ExpireAt(expires)
	}
	return err
}

// answer acts on the outcome.
func (r *renewal) answer(err error) {
	disconnect, disconnects := asDisconnect(err)
	switch {
	case err == nil:
		r.s.reply(&r.m, r.joinRef, wire.StatusOK, emptyPayload)
	case disconnects:
		r.s.close(disconnect.code(), err)
	case tokenFault(err) != nil || errors.Is(err, ErrRefused):
		r.at().say(notice.RenewRefused, tokenFault(err)...)
		r.refuse(errorReason{Reason: "invalid token"})
	default:
		r.refuse(r.s.errorReply(r.at(), &quoting{err, r.token}, false).Response)
	}
}

// quoting is an error that may quote a token.
type quoting struct {
	err   error
	token *string
}

func (q *quoting) Error() string { return redact.Known(textOf(q.err), q.token, nil) }

func (q *quoting) Unwrap() error { return q.err }

// refuse answers with an error.
func (r *renewal) refuse(response any) {
	p, err := encode(response)
	if err != nil {
		r.at().say(notice.RenewReply, slog.String("error", textOf(err)))
		p, _ = encode(errInternal)
	}
	r.s.reply(&r.m, r.joinRef, wire.StatusError, p)
}

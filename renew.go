package bennu

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/wire"
)

// renewTimeout ends the context of a Renew callback.
const renewTimeout = 5 * time.Second

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

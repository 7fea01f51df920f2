package bennu

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/wire"
)

// eventAccessToken is the event that a client pushes to renew its authentication, on any topic it
// has joined or on "phoenix", with {"access_token": token}. See SocketHandler.Renew.
const eventAccessToken = "access_token"

// renewTimeout is how long the context of a Renew callback lasts.
const renewTimeout = 5 * time.Second

// renewal is one access_token push that is being carried out. A socket has at most one at a time,
// so a Renew that does not return keeps further ones from starting.
type renewal struct {
	s        *Socket
	m        wire.Message
	joinRef  wire.Ref // for the reply; null on "phoenix"
	ctx      context.Context
	cancel   context.CancelFunc
	watchdog *time.Timer // set when Renew outlives its connection; guarded by Socket.mu
	done     bool        // Run has answered
	token    *string     // the argument of Renew, whose error may quote it
}

// renew handles an access_token push if the handler has a Renew, and reports whether it did. c is
// the channel of the push, or nil.
func (s *Socket) renew(m *wire.Message, c *Channel) bool {
	if s.handler.renew == nil || m.Event != eventAccessToken {
		return false
	}
	r := &renewal{s: s, m: *m}
	switch {
	case c == nil && m.Topic != protocol.TopicPhoenix:
		return false
	case c != nil && c.isStale(m):
		return false // deliver drops it
	case c != nil:
		r.joinRef = c.joinRef
	}
	// Renews that outlived their connections keep goroutines, so their number is bounded.
	most := s.node.admission.limits.LateCallbacks
	if s.handler.lateRenews.Load() >= int64(most) {
		r.at().say(notice.LateRenews, slog.Int("limit", most))
		r.answer(&Error{Reason: "busy"})
		return true
	}
	s.mu.Lock()
	// Checked and set under one lock, so that only one renewal runs at a time.
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
	// A drain waits for the answer. If the connection has ended, there is nobody to answer.
	case open:
		s.retain()
		s.node.tasks.Start(r)
	}
	return true
}

// Run calls Renew and answers the push. It implements task.Runner.
func (r *renewal) Run() {
	// Deferred first, so it runs last: the drain sees the answer queued.
	defer r.s.release()
	defer func() {
		if r.done {
			return
		}
		// Renew, or a method of its result, panicked or called runtime.Goexit.
		reason := newPanicError(recover())
		r.free()
		// The first attribute is the text of the panic, which may quote the token.
		attrs := errorAttrs(reason)
		attrs[0] = slog.String("error", redact.Known(textOf(reason), r.token, nil))
		r.at().say(notice.RenewCrash, attrs...)
		r.refuse(errInternal)
	}()
	err := r.renew()
	// Before the answer: when the client gets that, it may send the next push at once.
	r.free()
	r.answer(err)
	r.done = true
}

// at returns the place of the renewal for the log.
func (r *renewal) at() place {
	return place{s: r.s, topic: r.m.Topic, callback: "renew", event: eventAccessToken}
}

// free allows another renewal to begin, and undoes watchLocked.
func (r *renewal) free() {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	// Freed already: a panic after the first call of free comes here again.
	if s.expiry.renewing != r {
		return
	}
	s.expiry.renewing = nil
	r.cancel()
	// Renew has outlived its connection, and returned now.
	if r.watchdog != nil {
		r.watchdog.Stop()
		s.node.lingering.remove(r)
		s.handler.lateRenews.Add(-1)
	}
}

// watchLocked counts a Renew that runs on after its connection has ended. If it still runs after
// Limits.HandlerGrace, its stack is logged.
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

// renew decodes the payload and calls Renew. On success it sets the new time of expiry.
func (r *renewal) renew() error {
	// A pointer, to tell a missing token from an empty one.
	var in struct {
		Token *string `json:"access_token"`
	}
	if r.m.Payload.Binary {
		return &payloadError{err: errors.New("want JSON, got binary")}
	}
	if err := json.Unmarshal(r.m.Payload.Data, &in); err != nil {
		return decodeError(err)
	}
	r.m.Payload = Payload{} // frees the memory if Renew runs on for long
	if in.Token == nil {
		return &payloadError{field: "access_token", err: errors.New("missing")}
	}
	r.token = in.Token
	expires, err := r.s.handler.renew(r.ctx, r.s, *in.Token)
	// Before the answer, so that a client that has it is not warned any more.
	if err = withoutNil(err); err == nil {
		r.s.ExpireAt(expires)
	}
	return err
}

// answer replies to the push, or closes the connection if err is a Disconnect.
func (r *renewal) answer(err error) {
	disconnect, disconnects := asDisconnect(err)
	switch {
	case err == nil:
		r.s.reply(&r.m, r.joinRef, protocol.StatusOK, emptyPayload)
	case disconnects:
		r.s.close(disconnect.code(), err)
	// Expected refusals, which are logged as such and not as a failed callback.
	case tokenFault(err) != nil || errors.Is(err, ErrRefused):
		r.at().say(notice.RenewRefused, tokenFault(err)...)
		r.refuse(errorReason{Reason: "invalid token"})
	default:
		r.refuse(r.s.errorReply(r.at(), &quoting{err, r.token}, false).Response)
	}
}

// quoting is an error whose text may quote a token, which Error masks.
type quoting struct {
	err   error
	token *string
}

func (q *quoting) Error() string { return redact.Known(textOf(q.err), q.token, nil) }

func (q *quoting) Unwrap() error { return q.err }

// refuse replies with status "error".
func (r *renewal) refuse(response any) {
	p, err := encode(response)
	if err != nil {
		r.at().say(notice.RenewReply, slog.String("error", textOf(err)))
		p, _ = encode(errInternal)
	}
	r.s.reply(&r.m, r.joinRef, protocol.StatusError, p)
}

package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/bennu-go/bennu/internal/kept"
)

// settled is how long a connection, or a join, must last to count as a success: the delay before the
// next attempt then starts from its first value. One that keeps ending sooner, because a proxy cuts
// it or the channel crashes at once, is tried less and less often.
const settled = 5 * time.Second

// run connects and reads, again and again, until the socket ends.
//
// The delay before an attempt grows with failures, the number of attempts in a row that failed. A
// connection that lasted sets failures to 0. One that worked but did not last sets it to soon, the
// number of such connections in a row: the first is replaced quickly, and a server that cuts each
// connection after a second is tried less and less often. A connection without a single message
// from the server counts as a failed attempt.
func (s *Socket) run() {
	var (
		failures int // attempts in a row that failed
		soon     int // connections in a row that worked and ended before they had settled
		fb       fallback
		last     = Closed{Err: ErrClosed}
	)
	// Deferred, since a function of the program may call runtime.Goexit.
	defer func() { s.end(last.Err) }()
	defer func() { s.closed(last) }()
	for {
		l, err := s.connect(failures+1, &fb)
		if err == nil {
			opened := time.Now()
			err = s.serve(l)
			lasted := time.Since(opened) >= settled
			fb.note(l, err, lasted)
			switch {
			case lasted:
				failures, soon = 0, 0
			case l.heard && !errors.Is(err, ErrProtocol):
				failures = soon
				soon++
			}
		}
		failures++
		last = Closed{Transport: fb.last, WasOpen: l != nil, Err: err}
		if s.ctx.Err() != nil {
			last.Err = ErrClosed
		}
		if final(err) || errors.Is(last.Err, ErrClosed) {
			return
		}
		again := last
		again.Retry = true
		if !fb.now {
			again.After = s.reconnectAfter(failures)
		}
		s.closed(again)
		if !s.pause(again.After) {
			last = Closed{Transport: fb.last, Err: ErrClosed}
			return
		}
	}
}

// closed calls Trace.Closed, if it is set.
func (s *Socket) closed(c Closed) {
	if f := s.opts.Trace.Closed; f != nil {
		s.guard(func() { f(c) })
	}
}

// reconnectAfter returns the delay of Options.ReconnectAfter, or that of the table if it panics.
func (s *Socket) reconnectAfter(try int) time.Duration {
	d := reconnectTable.at(try)
	s.guard(func() { d = s.opts.ReconnectAfter(try) })
	return d
}

// pause waits for d. It returns false if the socket ends first.
func (s *Socket) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// connect makes one attempt, or two if there is a fallback and the WebSocket does not open within
// FallbackAfter: long polling follows at once. An open WebSocket that has a fallback must first answer a
// heartbeat (link.probing), since some proxies let it open and carry no messages.
func (s *Socket) connect(try int, f *fallback) (l *link, err error) {
	transport, timeout := s.opts.Transport, s.opts.Timeout
	mayFall := transport == webSocket && s.opts.FallbackAfter > 0
	fall := mayFall && (f.now || f.always)
	if fall {
		transport = longPoll
	} else if mayFall {
		timeout = min(timeout, s.opts.FallbackAfter)
	}
	f.last, f.now = transport, false
	l, err = s.try(try, transport, timeout)
	if err != nil && mayFall && !fall && s.ctx.Err() == nil {
		s.closed(Closed{Transport: transport, Err: err, Retry: true})
		fall, f.last = true, longPoll
		l, err = s.try(try, longPoll, s.opts.Timeout)
	}
	if err == nil && fall && !f.worked {
		f.always = true
	}
	var told error
	if err != nil {
		told = fmt.Errorf("client: connecting by %s: %w", f.last, err)
		s.tellFirst(told)
	} else {
		l.probing = mayFall && !fall
	}
	s.mu.Lock()
	s.attempt = told
	s.mu.Unlock()
	return l, err
}

// tellFirst gives Dial the result of the first attempt. Later results find the channel full and are
// dropped.
func (s *Socket) tellFirst(err error) {
	select {
	case s.first <- err:
	default:
	}
}

// try makes one attempt over one transport. Trace gets the URL without user and query, which may hold
// secrets.
func (s *Socket) try(try int, transport string, timeout time.Duration) (*link, error) {
	at := *s.base
	at.User, at.RawQuery = nil, ""
	if transport == webSocket {
		at.Scheme = map[string]string{"http": "ws", "https": "wss"}[at.Scheme]
	}
	at = *at.JoinPath(transport)
	attempt := Attempt{URL: at.String(), Transport: transport, Try: try}
	if f := s.opts.Trace.Connecting; f != nil {
		s.guard(func() { f(attempt) })
	}
	ctx, cancel := context.WithTimeoutCause(s.ctx, timeout, ErrTimeout)
	defer cancel()
	c, err := s.open(ctx, at, transport)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	if f := s.opts.Trace.Open; f != nil {
		s.guard(func() { f(attempt) })
	}
	return &link{socket: s, conn: c, transport: transport}, nil
}

// open calls ParamsFunc and AuthTokenFunc and makes the request. ctx bounds all three.
func (s *Socket) open(ctx context.Context, at url.URL, transport string) (c conn, err error) {
	params, token := s.opts.Params, s.opts.AuthToken
	if p := s.guard(func() {
		if f := s.opts.ParamsFunc; f != nil {
			if params, err = f(ctx); err != nil {
				err = fmt.Errorf("client: ParamsFunc: %w", err)
				return
			}
		}
		if f := s.opts.AuthTokenFunc; f != nil {
			if token, err = f(ctx); err != nil {
				err = fmt.Errorf("client: AuthTokenFunc: %w", err)
			}
		}
	}); p != nil {
		return nil, p
	}
	if err != nil {
		return nil, err
	}
	at.User = s.base.User
	if at.RawQuery, err = query(s.base.RawQuery, params, s.opts.Version); err != nil {
		return nil, err
	}
	if transport == longPoll {
		return openLongPoll(ctx, s, &at, token)
	}
	return openWebSocket(ctx, s, &at, token)
}

// serve reads from an open connection until it ends, and returns why. If the client has taken it down,
// the read fails as a consequence, and serve returns the client's reason instead. If a write failed and
// the read then returns a close of the server, serve returns that close.
func (s *Socket) serve(l *link) error {
	s.openedBy(l)
	err := s.readAll(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	var closed *CloseError
	switch {
	case l.unwritten && errors.As(err, &closed):
		return err // the write failed because the server was closing
	case l.cause != nil:
		return l.cause
	}
	code := closeNormal
	if errors.Is(err, ErrProtocol) {
		code = closeProtocol
	}
	l.failLocked(err, code, "")
	return err
}

// openedBy makes l the connection of the socket, and joins the channels.
func (s *Socket) openedBy(l *link) {
	defer s.tellFirst(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = l
	if s.closing { // Close was called during the attempt
		l.failLocked(ErrClosed, closeNormal, "")
		return
	}
	close(s.opened)
	l.startBeatLocked()
	for _, list := range s.topics {
		for _, ch := range append([]*Channel(nil), list...) {
			ch.openLocked()
		}
	}
}

// readAll reads messages until the connection ends, and returns why. It recovers from panics of the
// decoder, so that no bytes of a server can end the program.
func (s *Socket) readAll(l *link) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = protocolError(s.panicked("reading a message", v))
		}
	}()
	for {
		op, data, err := l.conn.read()
		if err != nil {
			return err
		}
		in, err := s.serializer.Decode(op, data)
		// A program may keep a small payload for long. It should not keep a large frame with it.
		in.Payload.Data, in.Response.Data = kept.Piece(in.Payload.Data, data), kept.Piece(in.Response.Data, data)
		if f := s.opts.Trace.Received; f != nil {
			frame := Frame{Transport: l.transport, Opcode: op, Data: data, Status: in.Status, Err: err}
			if err == nil {
				frame.Message = &in.Message
			}
			s.guard(func() { f(frame) })
		}
		if err != nil {
			return protocolError(err)
		}
		s.receive(l, &in)
	}
}

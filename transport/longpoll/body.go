package longpoll

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// What is read of a body that is too large, so that the client sees the answer:
// closing a connection on which bytes arrive destroys what was sent on it.
const (
	discardBytes = 16 << 20
	discardTime  = 5 * time.Second
)

// earnest is how much of a body must be here before memory is taken for the length
// that the client declared.
const earnest = 4 << 10

// declaredBytes is the most memory that is taken for a declared length at once.
const declaredBytes = 1 << 20

// errTooLarge means a body beyond MaxBody.
var errTooLarge = errors.New("longpoll: body too large")

// noRoomError means a body for which there was no room in time.
type noRoomError struct {
	bound string
	limit int // of bytes
}

func (*noRoomError) Error() string { return "longpoll: no room for the body of a post" }

// shares are what the body of one post has of the server's budgets. Its first bytes count
// apart, so that clients which declare large bodies and send none do not keep small posts
// out, and so that nobody who waits holds a part of what others wait for.
type shares struct{ first, rest share }

// sharesFor makes the shares of a post to a session.
func (h *handler) sharesFor(session id, addr string) shares {
	l := h.lim
	return shares{
		first: share{budget: &h.srv.firsts, session: session, addr: addr, sessionMost: noLimit, addrMost: l.firstsPerAddress},
		rest:  share{budget: &h.srv.rests, session: session, addr: addr, sessionMost: l.sessionBytes, addrMost: l.bytesPerAddress},
	}
}

// takeNow takes room for a body without waiting. It returns nil when there is some.
func (s *shares) takeNow(size int) *noRoomError {
	first := min(size, earnest)
	if bound := s.first.take(context.Background(), nil, first, 0); bound != "" {
		return s.first.noRoom(bound)
	}
	if bound := s.rest.take(context.Background(), nil, size-first, 0); bound != "" {
		s.release()
		return s.rest.noRoom(bound)
	}
	return nil
}

// release gives everything back. It may be called again.
func (s *shares) release() {
	s.first.releaseAll()
	s.rest.releaseAll()
}

// readBody reads the body of a post, for which it waits for room, until done is closed at the
// longest. An error is errTooLarge, a *noRoomError, or says that the body is cut or too slow
// to come. After an error it is given back.
func (h *handler) readBody(w http.ResponseWriter, r *http.Request, has *shares, done <-chan struct{}) (data []byte, err error) {
	control := http.NewResponseController(w)
	defer func() {
		if err != nil {
			has.release()
			return
		}
		// The deadline must be gone before the server watches for the client to go
		// away, and whatever the http.Server's own timeout was, the answer may take
		// longer. After an error it stays: the server itself reads on when the request is
		// answered, and would wait for what does not come.
		_ = control.SetReadDeadline(time.Time{})
	}()
	limit := h.lim.maxBody
	if r.ContentLength > int64(limit) {
		return nil, errTooLarge
	}
	size := limit
	if r.ContentLength >= 0 {
		size = int(r.ContentLength)
	}
	body, ended, err := h.fill(r, control, &has.first, nil, min(size, earnest), done)
	if err == nil && !ended {
		body, ended, err = h.fill(r, control, &has.rest, body, size, done)
	}
	switch {
	case err != nil:
		return nil, err
	case !ended && r.ContentLength < 0:
		var one [1]byte
		if n, err := io.ReadFull(r.Body, one[:]); n > 0 {
			return nil, errTooLarge
		} else if err != io.EOF {
			return nil, err
		}
	}
	if cap(body)-len(body) > len(body)/8 {
		body = bytes.Clone(body)
	}
	if spare := has.first.bytes + has.rest.bytes - cap(body); spare > 0 {
		has.rest.release(min(spare, has.rest.bytes))
	}
	return body, nil
}

// fill takes room for a body up to a size, and reads it until it has that size or ends. If its
// length was not declared, memory is taken as it comes.
func (h *handler) fill(r *http.Request, control *http.ResponseController, s *share, body []byte, size int, done <-chan struct{}) (_ []byte, ended bool, err error) {
	if len(body) == size {
		return body, r.ContentLength >= 0, nil
	}
	if bound := s.take(r.Context(), done, size-len(body), h.lim.window); bound != "" {
		return nil, false, s.noRoom(bound)
	}
	if h.lim.body != forever {
		_ = control.SetReadDeadline(time.Now().Add(h.lim.body))
	}
	for len(body) < size {
		if len(body) == cap(body) {
			to := 512
			if r.ContentLength >= 0 {
				to = declaredBytes
			}
			to = min(size, max(to, 2*len(body)))
			body = append(make([]byte, 0, to), body...)
		}
		n, err := r.Body.Read(body[len(body):min(size, cap(body))])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			return body, true, nil
		case err != nil:
			return nil, false, err
		}
	}
	return body, int64(size) == r.ContentLength, nil
}

// discard reads and throws away what a refused client still sends. A client that
// waits to be told to continue has sent nothing.
func discard(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Expect") != "" {
		w.Header().Set("Connection", "close")
		boundRest(w)
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(discardTime))
	n, err := io.Copy(io.Discard, io.LimitReader(r.Body, discardBytes))
	if err != nil || n == discardBytes {
		w.Header().Set("Connection", "close") // and the deadline stays, as in readBody
		return
	}
	_ = control.SetReadDeadline(time.Time{})
}

// boundRest bounds how long the http.Server waits for what is missing of a body when
// the request is answered.
func boundRest(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(discardTime))
}

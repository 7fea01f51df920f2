package longpoll

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// Bounds of what is read of the body of a refused post. Without reading, the client may not get the
// answer: if a connection is closed while bytes arrive, the kernel drops what was sent on it.
const (
	discardBytes = 16 << 20
	discardTime  = 5 * time.Second
)

// earnest is how many bytes of a body must have arrived before memory is allocated for its declared
// length.
const earnest = 4 << 10

// declaredBytes bounds the memory that is allocated at once for a declared length.
const declaredBytes = 1 << 20

// errTooLarge means that a body is longer than MaxBody.
var errTooLarge = errors.New("longpoll: body too large")

// noRoomError means that the budgets had no room for a body in time. bound is the name of the one
// that is full.
type noRoomError struct {
	bound string
	limit int // of bytes
}

// Error is for the log; the client gets the status 408.
func (*noRoomError) Error() string { return "longpoll: no room for the body of a post" }

// shares are the shares of one post's body in the server's budgets. Its first bytes have a budget
// of their own. So clients that declare large bodies and send nothing do not keep small posts out,
// and no post that waits holds room that others wait for.
type shares struct{ first, rest share }

// sharesFor returns empty shares for a post to a session.
func (h *handler) sharesFor(session id, addr string) shares {
	l := h.lim
	return shares{
		first: share{budget: &h.srv.firsts, session: session, addr: addr, sessionMost: noLimit, addrMost: l.firstsPerAddress},
		rest:  share{budget: &h.srv.rests, session: session, addr: addr, sessionMost: l.sessionBytes, addrMost: l.bytesPerAddress},
	}
}

// takeNow takes room for a body without waiting, or returns an error.
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

// release gives all room back. It may be called again.
func (s *shares) release() {
	s.first.releaseAll()
	s.rest.releaseAll()
}

// readBody reads the body of a post. It waits for room for it, until done is closed at the latest.
// The error is errTooLarge, a *noRoomError, or says that the body is cut or too slow. After an
// error no room is held.
//
// It reads in two steps. The first bytes need room only in the budget of first bytes, which is seldom
// full. When they have arrived, the client has shown that it sends, and room for the rest is taken at
// once. A body whose length is not declared needs room for MaxBody, and gives back what it does not
// use.
func (h *handler) readBody(w http.ResponseWriter, r *http.Request, has *shares, done <-chan struct{}) (data []byte, err error) {
	control := http.NewResponseController(w)
	defer func() {
		if err != nil {
			has.release()
			return
		}
		// The deadline must be removed: net/http watches the connection for the end of the client,
		// and the answer may take longer than any timeout of the http.Server. After an error it
		// stays, because net/http then reads the rest of the body itself, which may never come.
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
		// Otherwise a short body whose length was not declared would keep much unused memory.
		body = bytes.Clone(body)
	}
	if spare := has.first.bytes + has.rest.bytes - cap(body); spare > 0 {
		has.rest.release(min(spare, has.rest.bytes))
	}
	return body, nil
}

// fill takes room for the body up to size bytes, and reads until it has that many or the body ends.
// If the length was not declared, it allocates as bytes arrive.
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
			// The buffer grows with the bytes that arrive; a declared length is trusted up to
			// declaredBytes.
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

// discard reads and drops what the client of a refused request still sends. A client with an Expect
// header has sent nothing.
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
		w.Header().Set("Connection", "close") // the deadline stays, as in readBody
		return
	}
	_ = control.SetReadDeadline(time.Time{})
}

// boundRest bounds how long net/http waits for the rest of a body after the answer.
func boundRest(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(discardTime))
}

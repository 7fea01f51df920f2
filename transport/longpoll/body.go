package longpoll

import (
	"bytes"
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
const earnest = 64 << 10

// errTooLarge means a body beyond MaxBody.
var errTooLarge = errors.New("longpoll: body too large")

// readBody reads the body of a post. An error says that it is too large, cut, or
// too slow to come; the request is to be answered with 400.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request) (data []byte, err error) {
	control := http.NewResponseController(w)
	if h.lim.body != forever {
		_ = control.SetReadDeadline(time.Now().Add(h.lim.body))
	}
	// The deadline must be gone before the server watches for the client to go
	// away, and whatever the http.Server's own timeout was, the answer may take
	// longer. After an error it stays: the server itself reads on when the request is
	// answered, and would wait for what does not come.
	defer func() {
		if err == nil {
			_ = control.SetReadDeadline(time.Time{})
		}
	}()
	limit := h.lim.maxBody
	if r.ContentLength > int64(limit) {
		return nil, errTooLarge
	}
	body := io.Reader(r.Body)
	if limit != noLimit {
		body = io.LimitReader(body, int64(limit)+1)
	}
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(body, earnest))
	if n == earnest && err == nil {
		if r.ContentLength > n {
			b.Grow(int(min(r.ContentLength-n, discardBytes)) + bytes.MinRead)
		}
		_, err = b.ReadFrom(body)
	}
	if err != nil {
		return nil, err
	}
	if b.Len() > limit {
		return nil, errTooLarge
	}
	return b.Bytes(), nil
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

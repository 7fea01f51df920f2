package longpoll

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// allowOrigin sets the header that lets the page read the answer. There is no
// credentials header with it, so cookies never travel to another origin. What a
// refused page can read is that it is refused.
func allowOrigin(w http.ResponseWriter, origin string) {
	if origin == "" {
		origin = "*"
	} else {
		w.Header().Set("Vary", "Origin")
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
}

// refuse answers with an HTTP status and an empty body.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

// refuseBusy answers 503. Clients that obey come back spread over some seconds.
func refuseBusy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(5)))
	refuse(w, http.StatusServiceUnavailable)
}

// answerStatus answers with nothing but a status in the envelope.
func (h *Handler) answerStatus(w http.ResponseWriter, status int) {
	_ = h.write(w, append(strconv.AppendInt([]byte(`{"status":`), int64(status), 10), '}'))
}

// answer answers a GET. The error is that of writing.
func (h *Handler) answer(w http.ResponseWriter, status int, token string, messages [][]byte) error {
	size := 64 + len(token)
	for _, m := range messages {
		size += len(m) + len(m)/8 + 4 // JSON in JSON has its quotes escaped
	}
	b := make([]byte, 0, size)
	b = append(b, `{"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"token":`...)
	b = appendString(b, []byte(token))
	b = append(b, `,"messages":[`...)
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, m)
	}
	return h.write(w, append(b, "]}"...))
}

// writeChunk is how much is written under one deadline.
const writeChunk = 32 << 10

// write writes a JSON answer. A client that takes nothing of it for the write
// timeout is given up.
func (h *Handler) write(w http.ResponseWriter, body []byte) error {
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	control := http.NewResponseController(w)
	for len(body) > 0 {
		h.writeDeadline(control)
		n := min(len(body), writeChunk)
		if _, err := w.Write(body[:n]); err != nil {
			return err
		}
		body = body[n:]
	}
	h.writeDeadline(control)
	if err := control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_ = control.SetWriteDeadline(time.Time{}) // it would hold for the next request
	return nil
}

func (h *Handler) writeDeadline(control *http.ResponseController) {
	var deadline time.Time // none
	if h.lim.write != forever {
		deadline = time.Now().Add(h.lim.write)
	}
	_ = control.SetWriteDeadline(deadline) // not every ResponseWriter can
}

const hexDigits = "0123456789abcdef"

// appendString appends text as a JSON string. What is no UTF-8 is replaced, so
// that one odd message does not spoil the others.
func appendString(b, text []byte) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, text[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		b = append(b, text[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	return append(append(b, text[from:]...), '"')
}

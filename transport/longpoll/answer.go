package longpoll

import (
	"errors"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// All answers, except those to requests that are refused with an HTTP status, are 200 with an
// envelope that has the real status:
//
//	{"status":200,"token":"…","messages":["…","…"]}   messages for a poll
//	{"status":204,"token":"…","messages":[]}          none within the window
//	{"status":410,"token":"…","messages":[]}          a new session, to a GET without a valid token
//	{"status":200}                                    a post, with its status; see handler.post
//	{"status":403}                                    refused by the checks or by Connect
//
// Each message is a string that contains JSON text, so its quotes are escaped.
// allowOrigin sets the header that allows the page to read the answer. Without a header for
// credentials, browsers send no cookies to another origin. A page that is refused can read only
// that it is refused.
func allowOrigin(w http.ResponseWriter, origin string) {
	if origin == "" {
		origin = "*"
	} else {
		w.Header().Set("Vary", "Origin")
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
}

// answerStatus answers with only a status, in the envelope that clients expect.
func (h *handler) answerStatus(w http.ResponseWriter, status int) {
	_ = h.write(w, nil, append(strconv.AppendInt([]byte(`{"status":`), int64(status), 10), '}'))
}

// answer answers a GET. The error is that of writing. p is nil if nothing may stop the writing.
// A small answer is written at once. A large one is written in parts, so that a client that reads
// slowly needs no more memory than one that reads fast.
func (h *handler) answer(w http.ResponseWriter, status int, token string, messages [][]byte, p *localPoll) error {
	size := 64 + len(token)
	for _, m := range messages {
		size += len(m) + len(m)/8 + 4 // an estimate, since the quotes of the JSON text are escaped
	}
	if size <= writeChunk {
		return encode(make([]byte, 0, size), noLimit, status, token, messages, func(body []byte) error {
			p.lastPart()
			return h.write(w, p, body)
		})
	}
	// A client may read slowly and ask for the same batch again meanwhile, so a large answer is
	// never in memory completely. It is encoded twice, the first time to find its length.
	buf, length := make([]byte, 0, 2*writeChunk), 0
	_ = encode(buf, writeChunk, status, token, messages, func(b []byte) error { length += len(b); return nil })
	header(w, length)
	control := http.NewResponseController(w)
	err := encode(buf, writeChunk, status, token, messages, func(b []byte) error {
		if length -= len(b); length == 0 {
			p.lastPart()
		}
		return h.writePart(w, control, p, b)
	})
	if err != nil {
		return err
	}
	return h.writeEnd(control, p)
}

// encode passes an answer to out in parts of about most bytes, which are valid until out returns.
// It returns the first error of out.
func encode(buf []byte, most, status int, token string, messages [][]byte, out func(part []byte) error) error {
	b := append(buf[:0], `{"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"token":`...)
	b = appendString(b, []byte(token))
	b = append(b, `,"messages":[`...)
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		for len(m) > 0 {
			n := cut(m)
			b = appendEscaped(b, m[:n])
			m = m[n:]
			if len(b) < most {
				continue
			}
			if err := out(b); err != nil {
				return err
			}
			b = b[:0]
		}
		b = append(b, '"')
	}
	return out(append(b, "]}"...))
}

// cut returns how many bytes of a text to escape at once. It does not cut a character.
func cut(text []byte) int {
	const most = 4 << 10 // up to six times as many when escaped
	if len(text) <= most {
		return len(text)
	}
	for n := most; n > most-utf8.UTFMax; n-- {
		if utf8.RuneStart(text[n]) {
			return n
		}
	}
	return most // not UTF-8
}

// writeChunk is how many bytes are written under one deadline.
const writeChunk = 32 << 10

// write writes a JSON answer.
func (h *handler) write(w http.ResponseWriter, p *localPoll, body []byte) error {
	header(w, len(body))
	control := http.NewResponseController(w)
	if err := h.writePart(w, control, p, body); err != nil {
		return err
	}
	return h.writeEnd(control, p)
}

// header sets the headers of a JSON answer.
func header(w http.ResponseWriter, length int) {
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(length))
}

// writePart writes a part of an answer, with a deadline for each writeChunk.
func (h *handler) writePart(w http.ResponseWriter, control *http.ResponseController, p *localPoll, b []byte) error {
	for len(b) > 0 {
		if err := h.writeDeadline(control, p); err != nil {
			return err
		}
		n := min(len(b), writeChunk)
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// writeEnd flushes an answer and removes the write deadline.
func (h *handler) writeEnd(control *http.ResponseController, p *localPoll) error {
	if err := h.writeDeadline(control, p); err != nil {
		return err
	}
	if err := control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	p.finish()
	_ = control.SetWriteDeadline(time.Time{}) // it would also apply to the next request
	return nil
}

// writeDeadline sets the write deadline, WriteTimeout from now, unless the poll must not be
// answered.
func (h *handler) writeDeadline(control *http.ResponseController, p *localPoll) error {
	var deadline time.Time // none
	if h.lim.write != forever {
		deadline = time.Now().Add(h.lim.write)
	}
	if p != nil {
		return p.allow(control, deadline)
	}
	_ = control.SetWriteDeadline(deadline) // not every ResponseWriter can
	return nil
}

// hexDigits are for escapes such as \u001f.
const hexDigits = "0123456789abcdef"

// appendString appends text as a JSON string. Invalid UTF-8 is replaced, so that one odd message
// does not spoil the others.
func appendString(b, text []byte) []byte {
	return append(appendEscaped(append(b, '"'), text), '"')
}

// appendEscaped is appendString without quotes.
func appendEscaped(b, text []byte) []byte {
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
	return append(b, text[from:]...)
}

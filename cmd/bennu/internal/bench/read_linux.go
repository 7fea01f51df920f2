package bench

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"github.com/bennu-go/bennu/internal/wsframe"
)

// send sends bytes now, or when the socket takes them.
func (l *loop) send(i int, data []byte) {
	c := &l.conns[i]
	if c.broken || c.state != open && c.state != upgrading {
		return
	}
	if len(c.unsent) > 0 {
		if len(c.unsent)+len(data) > maxUnsent {
			l.lose(i, loss{err: errors.New("the server does not read")})
			return
		}
		c.unsent = append(c.unsent, data...)
		return
	}
	n, err := unix.Write(int(c.fd), data)
	if err != nil && err != unix.EAGAIN && err != unix.EINTR {
		l.breakOff(i)
		return
	}
	if n = max(n, 0); n < len(data) {
		c.unsent = append([]byte(nil), data[n:]...)
		l.watch(i, true)
	}
}

// breakOff stops sending. The connection is lost when reading ends, since the server may have sent a
// close code that is not read yet.
func (l *loop) breakOff(i int) {
	c := &l.conns[i]
	c.broken, c.unsent = true, nil
	l.watch(i, false)
}

// flush sends bytes that send could not.
func (l *loop) flush(i int) {
	c := &l.conns[i]
	if len(c.unsent) > 0 {
		n, err := unix.Write(int(c.fd), c.unsent)
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			l.breakOff(i)
			return
		}
		if c.unsent = c.unsent[max(n, 0):]; len(c.unsent) > 0 {
			return
		}
	}
	c.unsent = nil
	l.watch(i, false)
}

// push sends a message of the protocol. While messages of a connection are handled, all answers to them
// are put into one write.
func (l *loop) push(i int, joinRef, ref, topic, event, payload []byte) {
	text := append(l.text[:0], '[')
	text = append(append(text, joinRef...), ',')
	text = append(append(text, ref...), ',')
	text = append(append(text, topic...), ',')
	text = append(append(text, event...), ',')
	text = append(append(text, payload...), ']')
	l.text = text
	if l.corked == i {
		l.cork = wsframe.AppendMasked(l.cork, wsframe.Text, l.mask, text)
		return
	}
	l.frame = wsframe.AppendMasked(l.frame[:0], wsframe.Text, l.mask, text)
	l.send(i, l.frame)
}

// read reads once from a connection and handles complete frames.
func (l *loop) read(i int) {
	c := &l.conns[i]
	n, err := unix.Read(int(c.fd), l.buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		l.lose(i, loss{err: err})
		return
	case n == 0:
		l.lose(i, loss{err: io.EOF})
		return
	}
	data := l.buf[:n]
	age, fresh := c.age, c.state == upgrading
	if fresh {
		data = c.in.begin(data)
		n, err := l.handshake.check(data)
		if err != nil {
			l.lose(i, loss{err: err})
			return
		}
		if n == 0 {
			c.in.keep(data)
			return
		}
		data, c.state, c.in.rest = data[n:], open, nil
		l.opened++
	}
	l.corked, l.cork = i, l.cork[:0]
	if fresh {
		l.useful()
		l.phase.opened(i)
	}
	buf := c.in.begin(data)
	for c.age == age && c.state == open {
		op, payload, n, err := c.in.next(buf)
		if err == nil && n > 0 {
			buf = buf[n:]
			err = l.handle(i, op, payload)
		}
		if err != nil {
			l.corked = -1
			note(&l.report.Faults.Malformed, err.Error())
			l.lose(i, loss{code: 0, err: &ProtocolError{err}})
			return
		}
		if n == 0 {
			c.in.keep(buf)
			break
		}
	}
	l.corked = -1
	if len(l.cork) > 0 && c.age == age {
		l.send(i, l.cork)
	}
}

// handle handles one frame. The error says how the server has broken the protocol.
func (l *loop) handle(i int, op byte, payload []byte) error {
	switch op {
	case wsframe.Ping:
		l.cork = wsframe.AppendMasked(l.cork, wsframe.Pong, l.mask, payload)
	case wsframe.Close:
		code, err := closeCode(payload)
		if err != nil {
			return err
		}
		_, _ = unix.Write(int(l.conns[i].fd), appendClose(nil, l.mask, 1000))
		l.lose(i, loss{code: code})
	case wsframe.Binary:
		return errors.New("a binary message, and none was asked for")
	case wsframe.Text:
		var m message
		if err := parseMessage(payload, &m); err != nil {
			return err
		}
		return l.receive(i, &m)
	}
	return nil
}

// receive handles messages that concern every phase, and passes the others to the current one.
func (l *loop) receive(i int, m *message) error {
	c := &l.conns[i]
	switch string(m.event) {
	case "phx_reply":
		k, n, ok := parseRef(m.ref)
		status, response, err := parseReply(m.payload)
		if err != nil {
			return err
		}
		fine := string(status) == "ok"
		if !fine {
			note(&l.report.Faults.Errors, reasonOf(response))
		}
		switch {
		case !ok:
			return errors.New("a reply with a ref that was not sent")
		case k == kindHeartbeat:
			c.beating = false
			l.report.Heartbeats++
		default:
			l.phase.reply(i, k, n, fine, response)
		}
	case "phx_error":
		l.report.Faults.Channels++
		l.phase.ended(i, m)
	case "phx_close":
		l.report.Faults.ChannelCloses++
		l.phase.ended(i, m)
	default:
		if k, n, ok := l.marker.find(m.payload); ok {
			l.phase.event(i, k, n)
		}
	}
	return nil
}

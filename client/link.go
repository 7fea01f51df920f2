package client

import (
	"errors"

	"github.com/bennu-go/bennu/wire"
)

// The close codes that the client sends, and those that it gives to the ends of long-poll sessions. Those
// below 3000 are of RFC 6455, 3410 is of phoenix.js.
const (
	closeNormal    = 1000
	closeProtocol  = 1002
	closeNoStatus  = 1005
	closeForbidden = 1008
	closeInternal  = 1011
	closeGone      = 3410
)

// conn is an open connection: a webSocketConn or a longPolling.
type conn interface {
	// read returns the next frame, which the caller may keep. One goroutine calls it.
	read() (wire.Opcode, []byte, error)
	// write sends frames in order. One goroutine at a time calls it.
	write(frames []frame) error
	// close ends the connection with a code, and takes at most two seconds. When it returns,
	// read and write return.
	close(code int, reason string)
}

// frame is a frame to send.
type frame struct {
	op   wire.Opcode
	data []byte
}

// link is a conn with its queue and its heartbeat. The socket's lock guards its fields.
//
// It goes down once, in failLocked, which takes it from the socket, puts the channels into the state
// errored, and closes the connection in a goroutine, since closing waits for the server. The read in
// serve then returns, and run connects again. If the read ends first, because the server has closed the
// connection, serve calls failLocked.
type link struct {
	socket    *Socket
	conn      conn
	transport string

	queue   []wire.Message // to send
	writing bool           // a goroutine sends the queue
	flushed chan struct{}  // closed when the queue is empty; nil while nobody waits for that

	cause     error // why it went down; nil while it is open
	unwritten bool  // cause is the error of a write
	heard     bool  // the server has sent a message
	beat      beat
	probing   bool // there is a fallback, so the first heartbeat must be answered within FallbackAfter
}

// sendLocked queues a message. The bounds of Options hold for pushes, which give checks; joins, leaves
// and heartbeats are few.
func (l *link) sendLocked(m wire.Message) {
	l.queue = append(l.queue, m)
	l.socket.buffered.add(m.Payload)
	if !l.writing {
		l.writing = true
		l.socket.tasks.Start(l)
	}
}

// Run sends the queue until it is empty. It takes the whole queue at a time, so that long polling can
// send it in one post. Only the task group calls Run.
func (l *link) Run() {
	s := l.socket
	var batch []wire.Message
	for {
		s.mu.Lock()
		for i := range batch {
			s.buffered.remove(batch[i].Payload)
		}
		batch, l.queue = l.queue, nil
		if len(batch) == 0 || s.link != l {
			for i := range batch {
				s.buffered.remove(batch[i].Payload)
			}
			l.writing = false
			if l.flushed != nil {
				close(l.flushed)
				l.flushed = nil
			}
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if err := l.write(batch); err != nil {
			s.mu.Lock()
			l.unwritten = l.cause == nil
			l.failLocked(err, closeInternal, "")
			s.mu.Unlock()
		}
	}
}

// write encodes messages and sends them.
func (l *link) write(batch []wire.Message) error {
	frames := make([]frame, 0, len(batch))
	for i := range batch {
		op, data, err := l.socket.serializer.Append(nil, &batch[i])
		if err != nil {
			return err // cannot happen: encodable has checked the payload
		}
		if sent := l.socket.opts.Trace.Sent; sent != nil {
			l.socket.guard(func() { sent(Frame{Transport: l.transport, Opcode: op, Data: data, Message: &batch[i]}) })
		}
		frames = append(frames, frame{op, data})
	}
	return l.conn.write(frames)
}

// flushedLocked returns a channel that is closed when the queue is empty and written.
func (l *link) flushedLocked() <-chan struct{} {
	if l.flushed != nil {
		return l.flushed
	}
	ch := make(chan struct{})
	if l.writing {
		l.flushed = ch
	} else {
		close(ch)
	}
	return ch
}

// fail takes the connection down for the reason err, and closes it with code and reason. Only the first
// call has an effect.
func (l *link) fail(err error, code int, reason string) {
	l.socket.mu.Lock()
	l.failLocked(err, code, reason)
	l.socket.mu.Unlock()
}

// failLocked is fail with the lock held.
func (l *link) failLocked(err error, code int, reason string) {
	if l.cause != nil {
		return
	}
	l.cause = err
	l.downLocked(err)
	l.socket.tasks.Go(func() { l.conn.close(code, reason) })
}

// downLocked takes the connection from the socket and its channels. Messages in the queue are dropped:
// their pushes end with ErrInterrupted.
func (l *link) downLocked(err error) {
	s := l.socket
	if s.link != l {
		return
	}
	s.link = nil
	s.opened = make(chan struct{})
	l.beat.stopLocked()
	for i := range l.queue {
		s.buffered.remove(l.queue[i].Payload)
	}
	l.queue = nil
	for ref, w := range s.waiting {
		delete(s.waiting, ref)
		w.finish(&caused{ErrInterrupted, &caused{ErrDisconnected, err}})
	}
	if s.closing {
		return // end closes the channels
	}
	if final(err) {
		return
	}
	for _, list := range s.topics {
		for _, ch := range list {
			if ch.state == StateJoining || ch.state == StateJoined {
				ch.errorLocked(&caused{ErrDisconnected, err})
			}
		}
	}
}

// final reports whether the socket ends with its connection, instead of connecting again. As in
// phoenix.js, only a close of the server with the code 1000 does that.
func final(err error) bool {
	var closed *CloseError
	return errors.As(err, &closed) && closed.Code == closeNormal
}

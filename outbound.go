package bennu

import (
	"fmt"
	"log/slog"
	"math"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/pace"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// outbound is the bounds of the queue of frames for one client, from the options of its transport.
// A frame that is larger than bytes could never be sent, so whoever makes it gets an error.
type outbound struct{ bytes, messages int }

// unbounded is the outbound of a client whose transport has no such options.
var unbounded = outbound{math.MaxInt, math.MaxInt}

// outboundOf returns the bounds in the options of a transport, after relateBounds. A bound that the
// transport does not have is unlimited.
func outboundOf(b *seam.Bounds) outbound {
	o := unbounded
	if q := &b.QueueBytes; q.Option != "" {
		o.bytes = limit(q.Value, q.Default)
	}
	if q := &b.QueueMessages; q.Option != "" {
		o.messages = limit(q.Value, q.Default)
	}
	return o
}

// outbound returns the queue bounds of the client of s.
func (s *Socket) outbound() outbound {
	if b, ok := s.conn.(ability.Bounded); ok {
		bytes, messages := b.MostQueued()
		return outbound{bytes, messages}
	}
	return s.via.outbound
}

// boundOutbound lowers leastOutbound to the bound of a connection that brings its own.
func (n *node) boundOutbound(conn seam.Conn) {
	if b, ok := conn.(ability.Bounded); ok {
		bytes, _ := b.MostQueued()
		n.lowerOutbound(bytes)
	}
}

// lowerOutbound lowers leastOutbound to a number of bytes, if that is less.
func (n *node) lowerOutbound(bytes int) {
	for {
		least := n.leastOutbound.Load()
		if int64(bytes) >= least {
			return
		}
		if n.leastOutbound.CompareAndSwap(least, int64(bytes)) {
			pace.Queue(n.pubsub, bytes)
			return
		}
	}
}

// takes reports whether the client of s can get a frame: its transport carries frames of this kind,
// and the frame is not larger than the queue.
func (s *Socket) takes(f transport.Frame) bool {
	if s.cannotRead(f) {
		return false
	}
	n := len(f.Bytes())
	return int64(n) <= s.node.leastOutbound.Load() || n <= s.outbound().bytes
}

// cannotRead reports whether a frame is binary and the client's transport carries text only.
func (s *Socket) cannotRead(f transport.Frame) bool {
	return s.via.textOnly && len(f.Bytes()) > 0 && f.Opcode() != wire.Text
}

// noBinary is the error for a binary frame to a client of a transport that carries text only. It is
// a wire.ErrNoBinary.
type noBinary struct{}

func (noBinary) Error() string {
	return "bennu: a client of this transport cannot get bytes; send JSON"
}

// Is implements the interface of errors.Is.
func (noBinary) Is(target error) bool { return target == wire.ErrNoBinary }

// tooLarge is an ErrTooLarge with the size, the limit, and a phrase that says who gets the message
// all the same.
type tooLarge struct {
	size, most int
	recipients string
}

func (e *tooLarge) Error() string {
	return fmt.Sprintf("%v for a client: it takes %d bytes, and %d may wait; %s", ErrTooLarge, e.size, e.most, e.recipients)
}

// Is implements the interface of errors.Is.
func (e *tooLarge) Is(target error) bool { return target == ErrTooLarge }

// attrs returns the numbers as log attributes.
func (e *tooLarge) attrs() []slog.Attr {
	return []slog.Attr{slog.Int("bytes", e.size), slog.Int("limit", e.most)}
}

// refuse counts and logs that the client of this place cannot get a frame, and returns the reason.
func (p place) refuse(f transport.Frame) error {
	if p.s.cannotRead(f) {
		p.say(notice.BinaryFrame, slog.Int("bytes", len(f.Bytes())))
		return noBinary{}
	}
	err := &tooLarge{len(f.Bytes()), p.s.outbound().bytes, "the client does not get it"}
	p.say(notice.FrameTooLarge, err.attrs()...)
	return err
}

// fits returns an ErrTooLarge, which is counted and logged, if a broadcast is too large for the
// queues of a mount whose clients may join its topic.
func (n *node) fits(m *pubsub.Message) error {
	// An upper bound for the serializers of this module: escapes may double the names.
	size := len(m.Payload) + 2*(len(m.Topic)+len(m.Event)) + envelope + seam.Headroom
	if int64(size) <= n.leastOutbound.Load() {
		return nil
	}
	most := math.MaxInt
	for _, h := range n.handlers.all() {
		if h.match(m.Topic) != nil {
			most = min(most, h.leastOutbound)
		}
	}
	if size <= most {
		return nil
	}
	return n.refuse(m, &tooLarge{size, most, "nobody gets it"})
}

// refuse counts and logs a broadcast that is larger than a client can get, and returns err.
func (n *node) refuse(m *pubsub.Message, err *tooLarge) error {
	n.book.Say(notice.FrameTooLarge, append(err.attrs(), notice.Foreign("topic", m.Topic), notice.Foreign("event", m.Event))...)
	return err
}

// refuse counts and logs, once for a dispatch, a broadcast that is too large for this client. It
// did not go through fits, or the connection has a smaller queue than its mount. If the publisher
// does not get the error, for instance because it is on another node, the channel has missed a
// message: it ends, and the client joins again.
func (l *fastlane) refuse(d *pubsub.Dispatch, f transport.Frame) {
	c := (*Channel)(l)
	known := memoOf(d)
	if known.refused == nil {
		known.refused = c.socket.node.refuse(d.Message, &tooLarge{len(f.Bytes()), c.socket.outbound().bytes, "those with more room get it"})
	}
	if !d.Refuse(known.refused) {
		c.gap()
	}
}

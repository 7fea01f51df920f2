package bennu

import (
	"fmt"
	"log/slog"
	"math"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// outbound is what may wait for one client, by the options of its transport. A frame that
// is larger than that could never be sent, so it is refused to whoever makes it.
type outbound struct{ bytes, messages int }

// unbounded is that of a connection which is none of this module's transports.
var unbounded = outbound{math.MaxInt, math.MaxInt}

// outboundOf resolves the bounds of a transport, which are related. One that is not there is none.
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

// outbound is what may wait for the client of s.
func (s *Socket) outbound() outbound {
	if b, ok := s.conn.(ability.Bounded); ok {
		bytes, messages := b.MostQueued()
		return outbound{bytes, messages}
	}
	return s.via.outbound
}

// boundOutbound takes the bounds of a connection into account that only the connection knows.
func (n *node) boundOutbound(conn seam.Conn) {
	b, ok := conn.(ability.Bounded)
	if !ok {
		return
	}
	bytes, _ := b.MostQueued()
	for {
		least := n.leastOutbound.Load()
		if int64(bytes) >= least || n.leastOutbound.CompareAndSwap(least, int64(bytes)) {
			return
		}
	}
}

// takes reports whether a frame can be sent to the client of s at all.
func (s *Socket) takes(f transport.Frame) bool {
	if s.cannotRead(f) {
		return false
	}
	n := f.Len()
	return int64(n) <= s.node.leastOutbound.Load() || n <= s.outbound().bytes
}

// cannotRead reports whether a frame is one that no client reads over its transport.
func (s *Socket) cannotRead(f transport.Frame) bool {
	return s.via.textOnly && f.Len() > 0 && f.Opcode() != wire.Text
}

// noBinary is the wire.ErrNoBinary of a transport.
type noBinary struct{}

func (noBinary) Error() string {
	return "bennu: a client of this transport cannot get bytes; send JSON"
}

// Is is for errors.Is.
func (noBinary) Is(target error) bool { return target == wire.ErrNoBinary }

// tooLarge is an ErrTooLarge with its numbers, and who gets the message all the same.
type tooLarge struct {
	size, most int
	recipients string
}

func (e *tooLarge) Error() string {
	return fmt.Sprintf("%v for a client: it takes %d bytes, and %d may wait; %s", ErrTooLarge, e.size, e.most, e.recipients)
}

// Is is for errors.Is.
func (e *tooLarge) Is(target error) bool { return target == ErrTooLarge }

func (e *tooLarge) attrs() []slog.Attr {
	return []slog.Attr{slog.Int("bytes", e.size), slog.Int("limit", e.most)}
}

// refuse says why the client of this place cannot get a frame.
func (p place) refuse(f transport.Frame) error {
	if p.s.cannotRead(f) {
		p.say(notice.BinaryFrame, slog.Int("bytes", f.Len()))
		return noBinary{}
	}
	err := &tooLarge{f.Len(), p.s.outbound().bytes, "the client does not get it"}
	p.say(notice.FrameTooLarge, err.attrs()...)
	return err
}

func (n *node) fits(m *pubsub.Message) error {
	// At most that, in the serializers of this module: names may have escapes.
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

// refuse says that a broadcast is larger than a client can get.
func (n *node) refuse(m *pubsub.Message, err *tooLarge) error {
	n.book.Say(notice.FrameTooLarge, append(err.attrs(), notice.Foreign("topic", m.Topic), notice.Foreign("event", m.Event))...)
	return err
}

// refuse says, once for a dispatch, that a broadcast which no endpoint of this node has made is
// larger than a client can get. When its publisher is not told, as on another node, the channel
// has missed something, and its client joins again.
func (l *fastlane) refuse(d *pubsub.Dispatch, f transport.Frame) {
	c := (*Channel)(l)
	known := memoOf(d)
	if known.refused == nil {
		known.refused = c.socket.node.refuse(d.Message, &tooLarge{f.Len(), c.socket.outbound().bytes, "those with more room get it"})
	}
	if !d.Refuse(known.refused) {
		c.gap()
	}
}

package bennu

import (
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// takes reports whether the client of s can get a frame: its transport carries frames of this kind,
// and the frame is not larger than the queue.
func (s *Socket) takes(f transport.Frame) bool {
	if s.cannotRead(f) {
		return false
	}
	return !s.node.mayExceed(f) || len(f.Bytes()) <= s.outbound().bytes
}

// mayExceed reports whether a frame is larger than the smallest queue of all clients.
func (n *node) mayExceed(f transport.Frame) bool {
	return int64(len(f.Bytes())) > n.leastOutbound.Load()
}

// cannotRead reports whether a frame is binary and the client's transport carries text only.
func (s *Socket) cannotRead(f transport.Frame) bool {
	return s.via.textOnly && len(f.Bytes()) > 0 && f.Opcode() != wire.Text
}

// checkFrame returns nil if the client of this place takes a frame. Otherwise it counts and logs
// that the client does not get it, and returns an ErrTooLarge or a wire.ErrNoBinary.
func (p place) checkFrame(f transport.Frame) error {
	if p.s.takes(f) {
		return nil
	}
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

// noBinary is the error for a binary frame to a client of a transport that carries text only. It is
// a wire.ErrNoBinary.
type noBinary struct{}

func (noBinary) Error() string {
	return "bennu: a client of this transport cannot get bytes; send JSON"
}

// Is implements the interface of errors.Is.
func (noBinary) Is(target error) bool { return target == wire.ErrNoBinary }

// tooLarge is an ErrTooLarge with the size, the limit, and a phrase that says who still gets the
// message.
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

// refusalOf returns the response that a client gets in place of a reply that it cannot get.
func refusalOf(err error) Payload {
	if errors.Is(err, noBinary{}) {
		return bytesToSend
	}
	return tooLargeToSend
}

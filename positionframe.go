package bennu

import (
	"log/slog"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// resumePayload is the payload of bennu:resume.
type resumePayload struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	Count  int    `json:"count,omitempty"`
}

// resumeFrame returns the frame that tells the client from where the channel goes on. It is empty for
// clients that get no offsets.
func (c *Channel) resumeFrame(at follow.Position, p resumePayload) transport.Frame {
	return c.positionFrame(c.joinRef, eventResume, at, p)
}

// lostFrame returns the frame that tells the client of a loss after its join. It has no join_ref, as
// the broadcasts that follow have none: the client takes both or neither, also if it has joined anew
// before they arrive.
func (c *Channel) lostFrame(at follow.Position, reason string) transport.Frame {
	return c.positionFrame("", eventResume, at, resumePayload{Status: Lost.String(), Reason: reason})
}

// sendIfLocked queues a frame unless it is empty.
func (c *Channel) sendIfLocked(f transport.Frame) {
	if len(f.Bytes()) > 0 {
		c.socket.conn.Send(f)
	}
}

// positionFrame returns a message of the library with a position.
func (c *Channel) positionFrame(joinRef wire.Ref, event string, at follow.Position, payload any) transport.Frame {
	if c.kept.form == NoOffsets {
		return transport.Frame{}
	}
	p, err := encode(payload)
	push := wire.Push{JoinRef: joinRef, Topic: c.topic, Event: event, Payload: p}
	if c.kept.form == InRef {
		push.Ref = refOf(at)
	} else {
		push.Payload.Data = withOffset(p.Data, at)
	}
	var f transport.Frame
	if err == nil {
		f, err = pushFrame(c.socket.serializer, &push)
	}
	if err != nil {
		c.at(nil).of(event).say(notice.NotEncoded, slog.String("error", textOf(err)))
	}
	return f
}

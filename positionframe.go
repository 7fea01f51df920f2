package bennu

import (
	"log/slog"
	"strconv"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// resumePayload is the payload of bennu:resume. An empty Reason and a Count of 0 are left out.
type resumePayload struct {
	Status string
	Reason string
	Count  int
}

// encoded returns the JSON text. Each join that follows its topic needs one, so it does without the
// encoder.
func (p resumePayload) encoded() Payload {
	data := append(make([]byte, 0, 64), `{"status":`...)
	data = jsontext.AppendString(data, p.Status)
	if p.Reason != "" {
		data = jsontext.AppendString(append(data, `,"reason":`...), p.Reason)
	}
	if p.Count != 0 {
		data = strconv.AppendInt(append(data, `,"count":`...), int64(p.Count), 10)
	}
	return Payload{Data: append(data, '}')}
}

// resumeFrame returns the frame that tells the client from where the channel goes on. It is empty for
// clients that get no offsets.
func (c *Channel) resumeFrame(at follow.Position, p resumePayload) transport.Frame {
	return c.positionFrame(c.joinRef, eventResume, at, p.encoded())
}

// beginningFrame returns the frame that tells the client where the channel begins. A loss is told without
// a join_ref if messages of an earlier join may be under way: the client may take those, and leave and join
// once more before it has read this frame.
func (c *Channel) beginningFrame(at follow.Position, b *beginning) transport.Frame {
	if b.resumed == Lost && c.socket.hasNote(c.topic) {
		return c.lostFrame(at, b.reason)
	}
	return c.resumeFrame(at, resumePayload{Status: b.resumed.String(), Reason: b.reason})
}

// lostFrame returns the frame that tells the client of a loss after its join. It has no join_ref, as
// the broadcasts that follow have none: the client takes both or neither, also if it has joined anew
// before they arrive.
func (c *Channel) lostFrame(at follow.Position, reason string) transport.Frame {
	return c.positionFrame("", eventResume, at, resumePayload{Status: Lost.String(), Reason: reason}.encoded())
}

// sendIfLocked queues a frame unless it is empty.
func (c *Channel) sendIfLocked(f transport.Frame) {
	if len(f.Bytes()) > 0 {
		c.socket.conn.Send(f)
	}
}

// positionFrame returns a message of the library with a position.
func (c *Channel) positionFrame(joinRef wire.Ref, event string, at follow.Position, p Payload) transport.Frame {
	if c.kept.form == NoOffsets {
		return transport.Frame{}
	}
	push := wire.Push{JoinRef: joinRef, Topic: c.topic, Event: event, Payload: p}
	if c.kept.form == InRef {
		push.Ref = refOf(at)
	} else {
		push.Payload.Data = withOffset(p.Data, at)
	}
	f, err := pushFrame(c.socket.serializer, &push)
	if err != nil {
		c.at(nil).of(event).say(notice.NotEncoded, slog.String("error", textOf(err)))
	}
	return f
}

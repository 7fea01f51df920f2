package connect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

// A frame is one message as it travels, decoded for the output.
type frame struct {
	at       time.Time
	out      bool   // sent, not received
	data     []byte // as on the wire
	text     bool
	message  *wire.Message // nil if data is not a message
	err      error         // why it is not
	payload  wire.Payload  // of a reply the response
	status   string        // of a reply
	to       string        // the event that a reply answers, if it was sent from here
	took     time.Duration // since then
	answered bool
}

func newFrame(at time.Time, out bool, f client.Frame) *frame {
	n := &frame{at: at, out: out, data: f.Data, text: f.Opcode == wire.Text, message: f.Message, err: f.Err}
	if f.Message == nil {
		return n
	}
	n.payload = f.Message.Payload
	if !out && f.Message.Event == protocol.EventReply {
		n.status = f.Status
		if !n.payload.Binary {
			var reply struct {
				Response json.RawMessage `json:"response"`
			}
			if json.Unmarshal(n.payload.Data, &reply) == nil {
				n.payload.Data = reply.Response
			}
		}
	}
	return n
}

// heartbeat reports whether the frame is a heartbeat or the answer to one.
func (f *frame) heartbeat() bool { return f.message != nil && f.message.Topic == protocol.TopicPhoenix }

// event reports whether the frame is an event of the server, and neither a reply nor about the history of
// its topic.
func (f *frame) event() bool {
	if f.out || f.message == nil || f.heartbeat() {
		return false
	}
	switch f.message.Event {
	case protocol.EventReply, protocol.EventResume, protocol.EventOffset:
		return false
	}
	return true
}

// position returns the position that an event has in the history of its topic, or "". Other refs have no
// colon.
func (f *frame) position() string {
	if ref := f.message.Ref.Text(); !f.out && f.message.Event != protocol.EventReply && strings.Contains(ref, ":") {
		return ref
	}
	return ""
}

// line formats a frame for people, without the line break. It cuts the payload after limit characters,
// unless limit is 0.
func (f *frame) line(p palette, limit int) string {
	var b strings.Builder
	arrow, color := "←", green
	if f.out {
		arrow, color = "→", blue
	}
	fmt.Fprintf(&b, "%s%7s  ", head(p, f.at, arrow, color), size(len(f.data)))
	if f.message == nil {
		b.WriteString(p.paint(red, "no message: "+escape(fmt.Sprint(f.err))) + "  ")
		text, left := escapeHead(string(f.data), limit)
		b.WriteString(text + cutNote(left))
		return b.String()
	}
	fmt.Fprintf(&b, "%s  %s", p.paint(bold, escape(f.topic())), f.what(p))
	if at := f.position(); at != "" {
		b.WriteString(p.paint(dim, " at "+escape(at)))
	}
	if s := f.summary(p, limit); s != "" {
		b.WriteString("  " + s)
	}
	return b.String()
}

func (f *frame) topic() string {
	if f.message.OddTopic != "" {
		return f.message.OddTopic
	}
	return f.message.Topic
}

// what returns the event of the frame, or the meaning of an event of the protocol.
func (f *frame) what(p palette) string {
	switch event := f.message.Event; {
	case event == protocol.EventReply && !f.out:
		color := red
		if f.status == protocol.StatusOK {
			color = green
		}
		what := p.paint(color, escape(f.status))
		if f.answered {
			what += p.paint(dim, " to ") + escape(protocolName(f.to)) + p.paint(dim, " in "+span(f.took))
		}
		return what
	case event == protocol.EventError:
		return p.paint(red, "crashed")
	case event == protocol.EventClose:
		return p.paint(yellow, "closed")
	case f.out:
		return p.paint(blue, escape(protocolName(event)))
	default:
		return p.paint(magenta, escape(protocolName(event)))
	}
}

func protocolName(event string) string {
	switch event {
	case protocol.EventJoin:
		return "join"
	case protocol.EventLeave:
		return "leave"
	}
	return event
}

// summary returns the payload, or a short form of the payload of a presence event.
func (f *frame) summary(p palette, limit int) string {
	if f.payload.Binary {
		return bytesText(f.payload.Data, limit)
	}
	if !f.out && limit > 0 {
		if s, ok := presenceText(p, f.message.Event, f.payload.Data, limit); ok {
			return s
		}
	}
	if len(f.payload.Data) == 0 {
		return p.paint(dim, "{}")
	}
	text, left := p.json(string(f.payload.Data), limit)
	return text + cutNote(left)
}

// presenceText lists the keys of a presence event: those that are present, have joined or have left.
func presenceText(p palette, event string, payload []byte, limit int) (text string, ok bool) {
	type metas map[string]json.RawMessage
	var names []string
	head, colors := "", map[byte]string{'+': green, '-': red, '~': yellow}
	switch event {
	case "presence_state":
		var here metas
		if json.Unmarshal(payload, &here) != nil {
			return "", false
		}
		for name := range here {
			names = append(names, escape(name))
		}
		if len(names) == 0 {
			return "nobody is here", true
		}
		head, colors = "here: ", nil
	case "presence_diff":
		var diff struct{ Joins, Leaves metas }
		if json.Unmarshal(payload, &diff) != nil {
			return "", false
		}
		for name := range diff.Joins {
			if _, also := diff.Leaves[name]; also { // with another meta
				names = append(names, "~ "+escape(name))
			} else {
				names = append(names, "+ "+escape(name))
			}
		}
		for name := range diff.Leaves {
			if _, also := diff.Joins[name]; !also {
				names = append(names, "- "+escape(name))
			}
		}
	default:
		return "", false
	}
	slices.Sort(names)
	if text = strings.Join(names, ", "); utf8.RuneCountInString(text) > limit {
		return fmt.Sprintf("%s%d users; --full shows all", head, len(names)), true
	}
	for i, name := range names {
		if colors != nil {
			names[i] = p.paint(colors[name[0]], name)
		}
	}
	return head + strings.Join(names, ", "), true
}

// bytesText formats a binary payload as hexadecimal digits. Each byte counts as two characters.
func bytesText(data []byte, limit int) string {
	shown := data
	if limit > 0 && len(data) > limit/3 {
		shown = data[:limit/3]
	}
	text := fmt.Sprintf("%d bytes  % x", len(data), shown)
	return text + cutNote(len(data)-len(shown))
}

// escapeHead escapes the first limit characters of text, or all if limit is 0. It returns the number of
// bytes that it has left out.
func escapeHead(text string, limit int) (string, int) {
	end := len(text)
	if limit > 0 {
		end = 0
		for range limit {
			if end == len(text) {
				break
			}
			_, n := utf8.DecodeRuneInString(text[end:])
			end += n
		}
	}
	return escape(text[:end]), len(text) - end
}

// cutNote says that bytes of a payload are not shown.
func cutNote(left int) string {
	if left == 0 {
		return ""
	}
	return fmt.Sprintf("… (%s more; --full shows all)", strings.TrimSpace(size(left)))
}

// head writes the beginning of a line: time, direction, size and topic.
func head(p palette, at time.Time, sign, color string) string {
	return p.paint(dim, at.Format("15:04:05.000")) + " " + p.paint(color, sign) + " "
}

func size(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1_000_000)
}

// span formats a duration.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

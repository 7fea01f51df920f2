package bennu

import (
	"log/slog"
	"reflect"

	"github.com/bennu-go/bennu/internal/notice"
)

// place is where in a connection something happened. Every line in the log about a
// connection, a channel or a callback has its attributes from here.
type place struct {
	s        *Socket
	topic    string // or empty
	callback string // "join", "event", "intercept", "info", "task", "terminate", "connect", "renew", or empty
	event    string // of the message, or empty; of an info the Go type
}

// at is a place in a connection.
func (s *Socket) at(topic, event string) place { return place{s: s, topic: topic, event: event} }

// at is the place of a callback in a channel, of which h is the context; nil for none.
func (c *Channel) at(h *handlerContext) place {
	p := place{s: c.socket, topic: c.topic}
	if h != nil {
		p.callback, p.event = callbackNames[h.kind], h.event
	}
	return p
}

// atTask is the place of a goroutine of Channel.Go.
func (c *Channel) atTask() place { return place{s: c.socket, topic: c.topic, callback: "task"} }

// atLast is the place of the callback that runs, or ran last.
func (c *Channel) atLast() place {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joinRuns {
		return place{s: c.socket, topic: c.topic, callback: "join"}
	}
	return c.at(c.runs)
}

// of adds an event to a place.
func (p place) of(event string) place {
	p.event = event
	return p
}

// callbackNames are the callbacks of items in the log.
var callbackNames = [...]string{itemIn: "event", itemOut: "intercept", itemInfo: "info", itemLeave: "leave", itemStop: "leave", itemJoin: "join", itemEnd: "terminate"}

// eventOf names an item: its event, or the Go type of what Channel.Send was given.
func eventOf(it *item) string {
	if it.event == "" && it.info != nil {
		return reflect.TypeOf(it.info).String()
	}
	return it.event
}

// with makes the attributes of a line: the place, then attrs.
func (p place) with(attrs ...slog.Attr) []slog.Attr {
	list := make([]slog.Attr, 0, len(attrs)+7)
	for _, part := range [...]struct{ key, value string }{
		{"topic", p.topic}, {"callback", p.callback}, {"event", p.event}, {"socket_id", p.s.id},
	} {
		if part.value != "" {
			list = append(list, notice.Foreign(part.key, part.value))
		}
	}
	list = append(list, slog.String("mount", p.s.handler.path), slog.String("transport", p.s.via.name), notice.Foreign("address", p.s.address))
	return append(list, attrs...)
}

// say counts and logs a notice about the place.
func (p place) say(k notice.Kind, attrs ...slog.Attr) { p.s.node.book.Say(k, p.with(attrs...)...) }

package bennu

import (
	"log/slog"
	"reflect"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
)

// place says where in a connection something happened. Every log line about a connection, a channel
// or a callback gets its attributes from a place.
type place struct {
	s        *Socket
	topic    string          // empty for the connection itself
	callback string          // "join", "event", "intercept", "info", "task", "terminate", "connect", "renew", or empty
	event    string          // of the message, or empty; for a Channel.Send message its Go type
	entry    follow.Position // that an intercept handler is given, or zero
}

// at returns a place in the connection. Either argument may be empty.
func (s *Socket) at(topic, event string) place { return place{s: s, topic: topic, event: event} }

// at returns the place of a callback of the channel. h is the callback's context, or nil if the
// place is no callback.
func (c *Channel) at(h *handlerContext) place {
	p := place{s: c.socket, topic: c.topic}
	if h != nil {
		p.callback, p.event = callbackNames[h.kind], h.event
	}
	return p
}

// atEntry returns the place of an intercept handler that is given an entry.
func (c *Channel) atEntry(h *handlerContext, e *follow.Entry) place {
	p := c.at(h)
	p.entry = e.Position()
	return p
}

// atTask returns the place of a goroutine that Channel.Go started.
func (c *Channel) atTask() place { return place{s: c.socket, topic: c.topic, callback: "task"} }

// atLast returns the place of the callback that runs now, or that ran last. It takes the channel's
// lock.
func (c *Channel) atLast() place {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joinRuns {
		return place{s: c.socket, topic: c.topic, callback: "join"}
	}
	if h := c.runs; h != nil && h.kind == itemOut && c.kept.isFollower() && c.kept.more.cursor.now != nil {
		return c.atEntry(h, c.kept.more.cursor.now)
	}
	return c.at(c.runs)
}

// of returns the place with another event.
func (p place) of(event string) place {
	p.event = event
	return p
}

// callbackNames are the names of callbacks in the log, by the kind of item that they handle. Kinds
// without a callback have no name.
var callbackNames = [...]string{itemIn: "event", itemOut: "intercept", itemInfo: "info", itemJoin: "join", itemEnd: "terminate"}

// eventOf returns the name of an item in the log: its event, or the Go type of the message that
// Channel.Send was given.
func eventOf(it *item) string {
	if it.event == "" && it.info != nil {
		return reflect.TypeOf(it.info).String()
	}
	return it.event
}

// with returns the attributes of a log line: those of the place that are not empty, then attrs.
func (p place) with(attrs ...slog.Attr) []slog.Attr {
	list := make([]slog.Attr, 0, len(attrs)+8)
	for _, part := range [...]struct{ key, value string }{
		{"topic", p.topic}, {"callback", p.callback}, {"event", p.event}, {"socket_id", p.s.id},
	} {
		if part.value != "" {
			list = append(list, notice.Foreign(part.key, part.value))
		}
	}
	if p.entry.Epoch != "" {
		list = append(list, slog.String("offset", offsetOf(p.entry).String()))
	}
	list = append(list, slog.String("mount", p.s.handler.path), slog.String("transport", p.s.via.name), notice.Foreign("address", p.s.address))
	return append(list, attrs...)
}

// say counts and logs a notice about this place.
func (p place) say(k notice.Kind, attrs ...slog.Attr) { p.s.node.book.Say(k, p.with(attrs...)...) }

package bennu

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/internal/topic"
	"github.com/bennu-go/bennu/wire"
)

// route is a topic pattern with the handler of its topics.
type route struct {
	topic.Pattern
	handler ChannelHandler
	where   string // file and line of the registration
	// seal makes further registrations at the handler panic. It is nil for a handler that is no
	// Definition.
	seal func(where string)
	late *late // callbacks of the pattern's channels that run on after the end
	// lateJoins counts the Join callbacks that run on after their outcome was decided.
	lateJoins *atomic.Int64
}

// newRoute returns a route. It panics for a pattern that cannot match as it was meant; where is the
// place of the registration.
func newRoute(pattern string, h ChannelHandler, where string) route {
	p, fault := topic.ParsePattern(pattern)
	if fault != "" {
		panic(fmt.Sprintf("bennu: %s: %s", where, fault))
	}
	return route{Pattern: p, handler: h, where: where, late: new(late), lateJoins: new(atomic.Int64)}
}

// joinsHang reports whether most Joins of the pattern, or more, run on after their outcome was
// decided. Then no more may begin. A negative most is no bound.
func (r *route) joinsHang(most int) bool { return most >= 0 && r.lateJoins.Load() >= int64(most) }

// hint returns log attributes that help to find out why no pattern matches the topic of a message:
// the first patterns, and a likely cause.
func (h *mountedHandler) hint(m *wire.Message) []slog.Attr {
	if m.OddTopic != "" || m.Topic == "" {
		return []slog.Attr{slog.String("hint", fmt.Sprintf("the topic is not a text of 1 to %d bytes", wire.MaxTopic))}
	}
	if reserved.Topic(m.Topic) {
		return []slog.Attr{slog.String("hint", "topics that begin with phx: belong to the library")}
	}
	// A line with all patterns could be very long.
	const most = 8
	patterns := make([]string, 0, most)
	alike := false
	begin, _, _ := strings.Cut(m.Topic, ":")
	for i := range h.routes {
		pattern := h.routes[i].String()
		head, _, _ := strings.Cut(pattern, ":")
		alike = alike || head == begin
		if len(patterns) < most {
			patterns = append(patterns, pattern)
		}
	}
	attrs := []slog.Attr{slog.String("patterns", strings.Join(patterns, ", "))}
	switch {
	case len(h.routes) == 0:
		attrs = append(attrs, slog.String("hint", "the mount has no channels"))
	case !alike:
		attrs = append(attrs, slog.String("hint", "no pattern begins like the topic"))
	}
	return attrs
}

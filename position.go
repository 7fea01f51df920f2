package bennu

import (
	"strconv"
	"strings"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/wire"
)

// offsetOf returns a position in the form in which programs get it.
func offsetOf(p follow.Position) history.Offset {
	if p.Epoch == "" {
		return history.Offset{}
	}
	return history.OffsetOf(history.Place{Epoch: p.Epoch, Offset: p.Offset})
}

// positionOf returns the position that an Offset stands for. That of the zero Offset is the place
// before the first message of a topic that never had one.
func positionOf(o history.Offset) follow.Position {
	epoch, digits, _ := strings.Cut(o.String(), ":")
	n, _ := strconv.ParseUint(digits, 10, 64) // an Offset has nothing else
	return follow.Position{Epoch: epoch, Offset: n}
}

// refOf returns a position as the ref of a message. It has a colon, which the refs of clients do not
// have, so no client takes it for the ref of a message that it has sent.
func refOf(p follow.Position) wire.Ref {
	if p.Epoch == "" {
		return ""
	}
	return wire.StringRef(offsetOf(p).String())
}

// reaches reports whether whoever is at p has everything up to head.
func reaches(p, head follow.Position) bool {
	// A log that has begun without an entry has brought nothing to whoever was there before.
	return p.Offset >= head.Offset && (p.Epoch == head.Epoch || head.Epoch == "" || p == follow.Position{})
}

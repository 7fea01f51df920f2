package bennu

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/bennu-go/bennu/internal/clientaddr"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/rate"
)

// admissionWait is how long a connect or join waits for a slot.
const admissionWait = time.Second

// admission applies NodeLimits. Its methods may be called from any goroutine.
type admission struct {
	limits    NodeLimits
	connects  *rate.Slots
	joins     *rate.Slots
	addresses rate.Counts
}

func newAdmission(l NodeLimits) *admission {
	l = l.withDefaults()
	return &admission{
		limits:   l,
		connects: rate.NewSlots(l.Connects, admissionWait),
		joins:    rate.NewSlots(l.Joins, admissionWait),
	}
}

// identify returns the request with the address that counts for it, which admit and the log use.
func (a *admission) identify(r *http.Request) *http.Request {
	if a.limits.PerAddress < 0 && a.limits.ClientAddress == nil {
		return r
	}
	return notice.WithAddress(r, clientaddr.Of(r, a.limits.ClientAddress))
}

// closingMost returns the number of closed connections that may keep their files open because their
// clients have not closed their side. The argument is the limit on open connections.
func closingMost(connections int) int { return max(connections/20, 16) }

// admit reports whether the limits allow one more connection, before Connect is called. If not, it
// logs why. Opened checks again.
func (s *Socket) admit() bool {
	a := s.node.admission
	switch {
	case s.node.sockets.isClosed():
		s.at("", "").say(notice.Draining)
	case s.node.sockets.len() >= a.limits.Connections:
		s.at("", "").say(notice.Connections, slog.Int("limit", a.limits.Connections))
	case a.limits.PerAddress >= 0 && a.addresses.Of(s.address) >= a.limits.PerAddress:
		s.at("", "").say(notice.PerAddress, slog.Int("limit", a.limits.PerAddress))
	default:
		return true
	}
	return false
}

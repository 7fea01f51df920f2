package bennu

import (
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/rate"
)

// NodeLimits bound what all clients together may ask of an endpoint. The zero value is
// the defaults; Unlimited turns one off.
type NodeLimits struct {
	// Connections is how many may be open at once; a further one is answered 503, or
	// closed with 1013 when it came at the same moment as others. Default, and the
	// most that a larger number gives: nine tenths of the process's limit on open files.
	Connections int
	// PerAddress is how many of them one client address may have, with the same
	// answers; an IPv6 address counts by its /64 network, which is what one client
	// has. Default: no limit, because behind a proxy or a large network many share
	// one. Set ClientAddress first where a proxy stands in front.
	PerAddress int
	// ClientAddress is the address that PerAddress counts by, and the sessions of long
	// polling unless its options say otherwise, for instance from a header
	// that your proxy sets and clients cannot; a port is cut off, and of what is no
	// address the first 64 bytes count. nil or an empty result is the other end of the
	// TCP connection. Mounts use it for longpoll.Options.ClientAddr too if that is nil.
	// It is called concurrently.
	ClientAddress func(*http.Request) string
	// Connects and Joins are how many Connect and Join callbacks may run at once. More
	// wait for up to a second; then a connect is answered 503 with a Retry-After of 1 to
	// 5 s, a join with the error "busy". Defaults 256 and 512.
	Connects int
	Joins    int
}

// admissionWait is how long a connect or join waits for its turn.
const admissionWait = time.Second

func (l NodeLimits) withDefaults() NodeLimits {
	most := defaultConnections()
	if l.Connections = limit(l.Connections, most); l.Connections < math.MaxInt {
		l.Connections = min(l.Connections, most)
	}
	if l.PerAddress == 0 {
		l.PerAddress = Unlimited
	}
	if l.Connects == 0 {
		l.Connects = 256
	}
	if l.Joins == 0 {
		l.Joins = 512
	}
	return l
}

// defaultConnections leaves a tenth of the files to everything else.
func defaultConnections() int {
	if files := fileLimit(); files > 0 {
		return files / 10 * 9
	}
	return 1 << 16
}

// addressOf is what a request counts under for PerAddress, never empty.
func (l *NodeLimits) addressOf(r *http.Request) string {
	address := ""
	if l.ClientAddress != nil {
		address = l.ClientAddress(r)
	}
	if address == "" {
		address = r.RemoteAddr
	}
	var ip netip.Addr
	if withPort, err := netip.ParseAddrPort(address); err == nil {
		ip = withPort.Addr()
	} else if ip, err = netip.ParseAddr(address); err != nil {
		// It is kept as long as the connection, so it shall not hold a whole header.
		return "?" + address[:min(len(address), 64)]
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}

// admission is the endpoint's side of NodeLimits.
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

// identify keeps the address that counts for the request, for admit and the log.
func (a *admission) identify(r *http.Request) *http.Request {
	if a.limits.PerAddress < 0 && a.limits.ClientAddress == nil {
		return r
	}
	return notice.WithAddress(r, a.limits.addressOf(r))
}

// admit looks at what is open before the application is asked.
func (s *Socket) admit() bool {
	e := s.endpoint
	a := e.admission
	switch {
	case e.sockets.isClosed():
		s.at("", "").say(notice.Draining)
	case e.sockets.len() >= a.limits.Connections:
		s.at("", "").say(notice.Connections, slog.Int("limit", a.limits.Connections))
	case a.limits.PerAddress >= 0 && a.addresses.Of(s.address) >= a.limits.PerAddress:
		s.at("", "").say(notice.PerAddress, slog.Int("limit", a.limits.PerAddress))
	default:
		return true
	}
	return false
}

func (e *Endpoint) logLimits() {
	l := &e.admission.limits
	e.logger.Info("limits of this node",
		bound("connections", l.Connections), bound("per_address", l.PerAddress),
		bound("connects_at_once", l.Connects), bound("joins_at_once", l.Joins), slog.Int("open_files", fileLimit()))
	for _, m := range e.mounts {
		e.logger.LogAttrs(e.ctx, slog.LevelInfo, "limits of a mount", append([]slog.Attr{slog.String("path", m.path.String())}, m.Limits()...)...)
	}
}

func bound(name string, n int) slog.Attr {
	if n < 0 || n == math.MaxInt {
		return slog.String(name, "unlimited")
	}
	return slog.Int(name, n)
}

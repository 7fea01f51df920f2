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
	// Connections is how many may be open at once. One more is answered 503, or closed
	// with 1013 when it came at the same moment as others. The default, and the
	// maximum, is nine tenths of the process's limit on open files. Closed ones keep their
	// files until their clients have gone: while those are more than a twentieth of the
	// number, and more than 16, a new one cuts the oldest of them.
	Connections int
	// PerAddress is how many of them one client address may have, with the same
	// answers; an IPv6 address counts by its /64 network, which is what one client
	// has. A closed one counts until its client has gone. Default: no limit, because behind a proxy or a large network many share
	// one. Set ClientAddress first where a proxy stands in front.
	PerAddress int
	// ClientAddress returns the address that PerAddress counts by, for instance from a
	// header that your proxy sets and clients cannot. A port is cut off; of a text that is
	// no address the first 64 bytes count. nil or an empty result means the other end of
	// the TCP connection. Transports that count by address do so by it too, where their options
	// have nothing else. It is called concurrently.
	ClientAddress func(*http.Request) string
	// Connects and Joins are how many Connect and Join callbacks may run at once. More
	// wait for up to a second; then a connect is answered 503 with a Retry-After of 1 to
	// 5 s, a join with the error "busy". A callback that runs on after its context has ended
	// counts for its own mount or pattern alone: as many of each may run on, and then that
	// mount or pattern gets these answers. Defaults 256 and 512.
	Connects int
	Joins    int
	// PostBytes bounds the bytes of posts of long polling that the node holds, while they
	// arrive, wait or are handled. A post that finds no room is not read on until there is
	// some, for up to a window; see MaxPostBytesPerAddress of its options. Default 64 MiB, or twice the
	// largest MaxBody of a mount, if that is more.
	PostBytes int
	// LateCallbacks is Limits.LateCallbacks for all connections together, counted for each
	// pattern of topics by itself; with twice as many all joins of a pattern are refused.
	// So many Renew callbacks of a mount may run on after their connections have ended; more
	// renewals are answered with the error "busy". Default 10,000.
	LateCallbacks int
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
	l.LateCallbacks = limit(l.LateCallbacks, 10_000)
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

// closingMost is how many closed connections there may be that keep their descriptors, because
// their clients have not gone, with a limit of so many connections.
func closingMost(connections int) int { return max(connections/20, 16) }

// admit looks at what is open before the application is asked.
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

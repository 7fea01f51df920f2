package bennu

import (
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
)

// proxied looks for a proxy that makes all clients count as one address, because
// NodeLimits.ClientAddress is not set.
type proxied struct {
	over atomic.Bool // nothing is looked for any more

	mu      sync.Mutex
	address string // of the first proxy
	begun   int    // connections that came through it
}

// proxiedMost is how many connections come through a proxy before that is told.
const proxiedMost = 16

// see looks at a request that begins a connection, and reports whether it is time to warn,
// which is once.
func (p *proxied) see(r *http.Request) (address string, warn bool) {
	if len(r.Header["X-Forwarded-For"]) == 0 && len(r.Header["Forwarded"]) == 0 {
		return "", false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "", false
	}
	ip := peer.Addr().Unmap()
	if !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !carriers.Contains(ip) {
		return "", false // whoever that is may write any header
	}
	address = ip.String()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.address {
	case "":
		p.address, p.begun = address, 1
	case address:
		p.begun++
	default:
		p.over.Store(true) // they do not all come from one
		return "", false
	}
	return address, p.begun >= proxiedMost && p.over.CompareAndSwap(false, true)
}

// carriers is the network that providers use behind addresses they share.
var carriers = netip.MustParsePrefix("100.64.0.0/10")

// warnOfProxy warns when connections come through a proxy and cannot be told apart.
func (e *Endpoint) warnOfProxy(m *mount, r *http.Request) {
	if !m.handler.Begins(r) {
		return
	}
	if address, warn := e.proxied.see(r); warn {
		e.log.Log(slog.LevelWarn, "connections come through a proxy, and all count as its address",
			slog.String("address", address), slog.Int("connections", proxiedMost),
			slog.String("fix", "set EndpointOptions.Limits.ClientAddress to a function that reads the client's address from the header that the proxy sets"))
	}
}

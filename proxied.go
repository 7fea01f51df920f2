package bennu

import (
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
)

// proxied detects a proxy in front of the endpoint when NodeLimits.ClientAddress is not set: then
// all clients count as one address. It looks at requests with a forwarding header that come from a
// private address.
type proxied struct {
	over atomic.Bool // decided; requests are not looked at any more

	mu      sync.Mutex
	address string // of the first proxy seen
	begun   int    // number of connections from it
}

// proxiedMost is the number of connections through a proxy after which the warning is logged.
const proxiedMost = 16

// see looks at a request that begins a connection. warn is true once, when it is time to warn about
// the proxy at the address.
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
		return "", false // a client on the internet may send any header
	}
	address = ip.String()
	p.mu.Lock()
	defer p.mu.Unlock()
	// One address that stays the same is a proxy; several may be clients in the same network.
	switch p.address {
	case "":
		p.address, p.begun = address, 1
	case address:
		p.begun++
	default:
		p.over.Store(true) // several addresses, so clients do not all count as one
		return "", false
	}
	return address, p.begun >= proxiedMost && p.over.CompareAndSwap(false, true)
}

// carriers is the shared address space of RFC 6598, which providers use between themselves and
// clients.
var carriers = netip.MustParsePrefix("100.64.0.0/10")

// warnOfProxy logs a warning when all connections come through one proxy and cannot be told apart.
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

package bench

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
)

// target is the server to measure.
type target struct {
	url  string // as it was given, without a query, which may hold a token
	addr netip.AddrPort
	host string // for the Host header
	path string // with the query
}

// parseTarget reads the URL of a socket and looks up its host. Unless foreign is true, all addresses of
// the host must be loopback addresses. Every error except that of the lookup is a misuse.
func parseTarget(ctx context.Context, text string, foreign bool) (*target, error) {
	const form = "it looks like ws://127.0.0.1:4000/socket"
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return nil, cli.Usagef("the URL cannot be read; %s", form)
	}
	switch u.Scheme {
	case "ws", "http":
	case "wss", "https":
		return nil, cli.Usagef("bench does not use TLS; give the address of the server behind the proxy that does, %s", form)
	default:
		return nil, cli.Usagef("the URL begins with %s://; %s", printable([]byte(u.Scheme)), form)
	}
	if u.User != nil {
		return nil, cli.Usagef("the URL has a user, which WebSocket does not send; %s", form)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, cli.Usagef("the URL has the port %s, which is not a number from 1 to 65535; %s", printable([]byte(port)), form)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil || len(addrs) == 0 {
		return nil, fmt.Errorf("the host %s has no address", printable([]byte(u.Hostname())))
	}
	if a := elsewhere(addrs); a.IsValid() && !foreign {
		return nil, cli.Usagef("%s is not this machine (%s): a load test can take a server down; if it is yours, add --i-own-the-target", printable([]byte(u.Hostname())), a)
	}
	t := &target{addr: netip.AddrPortFrom(preferred(addrs), uint16(number)), host: u.Host}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if !strings.HasSuffix(path, "/websocket") {
		path += "/websocket"
	}
	t.url = "ws://" + u.Host + path
	query := u.RawQuery
	if !u.Query().Has("vsn") {
		if query != "" {
			query += "&"
		}
		query += "vsn=2.0.0"
	} else if vsn := u.Query().Get("vsn"); vsn != "2.0.0" {
		return nil, cli.Usagef("the URL asks for version %s of the protocol, and bench uses 2.0.0; leave vsn out", printable([]byte(vsn)))
	}
	t.path = path + "?" + query
	return t, nil
}

// elsewhere returns the first address of another machine, if there is one.
func elsewhere(addrs []netip.Addr) netip.Addr {
	for _, a := range addrs {
		if a = a.Unmap(); !a.IsLoopback() {
			return a
		}
	}
	return netip.Addr{}
}

// preferred returns the address to connect to: one of IPv4 if there is one, since most servers listen
// there and there are many loopback addresses to connect from.
func preferred(addrs []netip.Addr) netip.Addr {
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			return a
		}
	}
	return addrs[0]
}

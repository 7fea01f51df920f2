package bennu

import (
	"log/slog"
	"net"
	"strings"

	"github.com/bennu-go/bennu/internal/notice"
)

// warnOfHost logs a warning if EndpointOptions.Host is not set, a mount has the default origin
// policy, and other machines can reach the listener. Then an attacker can point a name of their own at
// this server, and the policy allows pages of that name (DNS rebinding).
func (e *Endpoint) warnOfHost(address net.Addr) {
	trusting := e.trustsHost.all()
	if len(trusting) == 0 || address == nil || onLoopback(address) {
		return
	}
	e.book.Say(notice.NoHost, slog.String("mounts", strings.Join(trusting, ", ")), slog.String("address", address.String()))
}

// onLoopback reports whether only this machine can reach an address.
func onLoopback(address net.Addr) bool {
	switch a := address.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	host, _, err := net.SplitHostPort(address.String())
	ip := net.ParseIP(host)
	return err != nil || ip == nil || ip.IsLoopback()
}

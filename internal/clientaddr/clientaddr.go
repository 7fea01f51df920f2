// Package clientaddr says under which address a request counts, for all limits by address.
package clientaddr

import (
	"net/http"
	"net/netip"
	"strings"
)

// most bounds the bytes of text that is no address.
const most = 64

// Of returns the address of the client. The function of reads it from the request; if of is nil or
// returns "", it is the address of the connection. An IPv6 address counts as its /64 network, which one
// client usually has. The result is never empty. Text that is no address is cut, and begins with "?".
func Of(r *http.Request, of func(*http.Request) string) string {
	address := ""
	if of != nil {
		address = of(r)
	}
	if address == "" {
		address = r.RemoteAddr
	}
	var ip netip.Addr
	if withPort, err := netip.ParseAddrPort(address); err == nil {
		ip = withPort.Addr()
	} else if ip, err = netip.ParseAddr(address); err != nil {
		// It is kept as long as the connection, and must not keep a whole header with it.
		return "?" + strings.Clone(address[:min(len(address), most)])
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}

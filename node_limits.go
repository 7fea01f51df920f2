package bennu

import (
	"math"
	"net/http"
)

// NodeLimits bound what all clients of an endpoint together may use. The zero value is the
// defaults; Unlimited switches a limit off.
type NodeLimits struct {
	// Connections is the number of connections open at once. One more is answered with 503, or
	// closed with 1013 if several came at the same moment. The default, and the maximum, is nine
	// tenths of the process's limit on open files.
	//
	// A connection that was closed keeps its file until its client has closed its side. If more
	// than a twentieth of Connections, and more than 16, wait for that, each new connection cuts
	// the oldest of them.
	Connections int
	// PerAddress is the number of connections that one client address may have, with the same
	// answers. An IPv6 address counts as its /64 network, which one client usually has. A
	// connection that was closed counts until its client has closed its side. Default: no limit,
	// because many clients share an address behind a proxy or in a large network. If a proxy stands
	// in front, set ClientAddress first.
	PerAddress int
	// ClientAddress returns the address that counts for PerAddress, for instance from a header that
	// your proxy sets and clients cannot. A port is ignored. Text that is not an address is cut to
	// 64 bytes. nil or an empty result means the other end of the TCP connection. It is also used
	// by transports that count by address, unless their options have a function for that. It is
	// called concurrently.
	ClientAddress func(*http.Request) string
	// Connects and Joins are the numbers of Connect and Join callbacks that may run at once.
	// Further ones wait for up to a second; then a connect is answered with 503 and a Retry-After
	// of 1 to 5 s, and a join with the error "busy". A callback that runs on after its context has
	// ended counts only for its own mount or topic pattern. When their number reaches the same
	// limit, that mount or pattern gives these answers at once. Defaults 256 and 512.
	Connects int
	Joins    int
	// PostBytes bounds the bytes of long-polling posts that the node holds at once: those that
	// arrive, wait or are handled. A post that finds no room waits for it, without being read, for
	// up to a poll window; then it is answered with 408. See also MaxPostBytesPerAddress in the
	// options of long polling. Default 64 MiB, or twice the largest MaxBody of a mount if that is
	// more.
	PostBytes int
	// LateCallbacks is Limits.LateCallbacks for all connections together, counted separately for
	// each topic pattern. When twice as many run on, all joins of the pattern are refused. It is
	// also the number of Renew callbacks of a mount that may run on after their connections have
	// ended; further renewals are answered with the error "busy". Default 10,000.
	LateCallbacks int
}

// withDefaults returns the effective limits. An unlimited number of connections stays so; any other
// is lowered to the number that the process may open.
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

// defaultConnections returns nine tenths of the process's limit on open files; a tenth is left to
// everything else. It is 65,536 where the limit is unknown.
func defaultConnections() int {
	if files := fileLimit(); files > 0 {
		return files / 10 * 9
	}
	return 1 << 16
}

package natsdial

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// The wait before each attempt to reconnect grows from reconnectFirst to reconnectMost.
	reconnectFirst = 100 * time.Millisecond
	reconnectMost  = time.Second
	// steady is the time after which a connection counts as stable, and waits are short again.
	steady = 5 * time.Second
)

// Rounds chooses the server for the next attempt, and the wait before it. It tries all servers without a
// wait, and waits before each further round. It also waits before the first round if the last connections
// were short.
type Rounds struct {
	mu    sync.Mutex
	tried string    // URL of the last attempt
	at    time.Time // of the last attempt
	tries int       // attempts since the last connection
	soon  int       // connections in a row that were shorter than steady
}

// Next implements nats.ReconnectToServerHandler. It returns the server with the fewest attempts.
func (r *Rounds) Next(servers []nats.Server, _ nats.ServerInfo) (*nats.Server, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	connected, best := r.tried == "", 0
	for i := range servers {
		url, tries := servers[i].URL.String(), servers[i].Reconnects
		if url == r.tried && tries == 0 { // the library resets the count when it connects
			connected = true
		}
		if least := servers[best].Reconnects; tries < least || tries == least && servers[best].URL.String() == r.tried {
			best = i
		}
	}
	switch {
	case !connected:
	case time.Since(r.at) >= steady:
		r.tries, r.soon = 0, 0
	default:
		r.tries = 0
		r.soon++
	}
	r.tries++
	wait := time.Duration(0)
	if round := r.tries/len(servers) + r.soon; round > 0 {
		wait = Delay(round)
	}
	r.tried, r.at = servers[best].URL.String(), time.Now().Add(wait)
	return &servers[best], wait
}

// Delay returns the wait of a round, counted from 1: 200 ms, 400 ms, and so on up to 1 s, less up
// to half of it at random, so that the nodes of a cluster do not all return at once.
func Delay(round int) time.Duration {
	d := min(reconnectFirst<<min(round, 10), reconnectMost)
	return d/2 + rand.N(d/2+1)
}

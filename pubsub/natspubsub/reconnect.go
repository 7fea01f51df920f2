package natspubsub

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// The wait before each try to connect again grows up to reconnectMost.
	reconnectFirst = 100 * time.Millisecond
	reconnectMost  = time.Second
	// steady is how long a connection must last for the next wait to be short again.
	steady = 5 * time.Second
)

// rounds says which server to try next, and when: a wait is due when all have been
// tried, and before the first when connections do not last.
type rounds struct {
	mu    sync.Mutex
	tried string    // the URL of the latest try
	at    time.Time // of that
	tries int       // since there was a connection
	soon  int       // connections in a row that did not last
}

// next implements nats.ReconnectToServerHandler.
func (r *rounds) next(servers []nats.Server, _ nats.ServerInfo) (*nats.Server, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	connected, best := r.tried == "", 0
	for i := range servers {
		url, tries := servers[i].URL.String(), servers[i].Reconnects
		if url == r.tried && tries == 0 { // the client counts from its last connection there
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
		wait = reconnectDelay(round)
	}
	r.tried, r.at = servers[best].URL.String(), time.Now().Add(wait)
	return &servers[best], wait
}

func reconnectDelay(round int) time.Duration {
	d := min(reconnectFirst<<min(round, 10), reconnectMost)
	return d/2 + rand.N(d/2+1)
}

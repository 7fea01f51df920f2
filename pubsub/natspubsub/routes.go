package natspubsub

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// routes is what an embedded server is connected to. The server tells nobody when
// that changes, so it is looked at.
type routes struct {
	mu   sync.Mutex
	at   time.Time
	now  map[string]uint64 // by the peer's server: the number of the route
	same bool              // one of the peers has this node's name
	seen map[string]route
}

// route is one that was there.
type route struct {
	number uint64
	first  time.Time
	last   time.Time
	gone   bool // it was missing at some look since
}

const (
	// routeFresh is how long a look is good for.
	routeFresh = 20 * time.Millisecond
	// routeSettled is how long a new route may be replaced by another: two peers that
	// call each other at one time keep only one. Between the two there is no time
	// without any.
	routeSettled = 3 * time.Second
	// routeMemory is how long a lost peer is remembered; one that comes back later is as
	// a new one.
	routeMemory = time.Hour
)

var errRouteLost = errors.New("the route to a peer was lost and is back")

// Reaches implements cluster.Router.
func (l *embeddedLink) Reaches(server string) bool {
	return l.look()[server] != 0
}

// Servers implements cluster.Router.
func (l *embeddedLink) Servers() []string { return slices.Collect(maps.Keys(l.look())) }

// Namesake implements cluster.Router. The names of servers, which are in the first
// message on a route, tell.
func (l *embeddedLink) Namesake() bool {
	l.look()
	l.routes.mu.Lock()
	defer l.routes.mu.Unlock()
	return l.routes.same
}

// look lists the routes.
func (l *embeddedLink) look() map[string]uint64 {
	r := &l.routes
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < routeFresh {
		return r.now
	}
	list, err := l.nats.Routez(nil)
	if err != nil {
		return r.now
	}
	r.at = time.Now()
	r.now = make(map[string]uint64, len(list.Routes))
	r.same = false
	for _, info := range list.Routes {
		r.now[info.RemoteID] = info.Rid
		r.same = r.same || nodeOf(info.RemoteName) == nodeOf(l.server.ServerName)
	}
	return r.now
}

// watchRoutes tells when a route was lost and is there again: what the peer sent
// meanwhile did not get here. A peer that was started anew has another id.
func (l *embeddedLink) watchRoutes() {
	r := &l.routes
	tick := time.NewTicker(routeLook)
	defer tick.Stop()
	for {
		if r.returned(l.look()) {
			l.events.Dropped(errRouteLost)
		}
		select {
		case <-tick.C:
		case <-l.stop:
			return
		}
	}
}

// returned compares with what was there before, and reports whether a route was lost
// meanwhile, or earlier, and is there again.
func (r *routes) returned(routes map[string]uint64) (lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = make(map[string]route)
	}
	now := time.Now()
	for id, number := range routes {
		was, known := r.seen[id]
		if !known {
			was.first = now
		}
		lost = lost || known && was.number != number && (was.gone || was.last.Sub(was.first) > routeSettled)
		was.number, was.last, was.gone = number, now, false
		r.seen[id] = was
	}
	for id, was := range r.seen {
		if routes[id] == 0 {
			was.gone = true
			r.seen[id] = was
		}
		if now.Sub(was.last) > routeMemory {
			delete(r.seen, id)
		}
	}
	return lost
}

package natspubsub

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// routes are the routes of an embedded server to its peers. The server does not report changes, so
// they are polled.
type routes struct {
	mu   sync.Mutex
	at   time.Time         // of the last look
	now  map[string]uint64 // number of the route, by server id of the peer
	same bool              // a peer has the name of this node
	seen map[string]route  // current and lost routes, by server id of the peer
}

// route is a route that has been seen.
type route struct {
	number uint64
	first  time.Time
	last   time.Time
	gone   bool // it was missing at a later look
}

const (
	// routeFresh is the time for which the result of a look is used.
	routeFresh = 20 * time.Millisecond
	// routeSettled is the time for which a new route may be replaced without a gap: two peers
	// that connect to each other at the same time keep one of the two routes.
	routeSettled = 3 * time.Second
	// routeMemory is the time for which a lost peer is remembered. After that it counts as
	// new.
	routeMemory = time.Hour
)

var errRouteLost = errors.New("the route to a peer was lost and is back")

// Reaches implements cluster.Router.
func (l *embeddedLink) Reaches(server string) bool {
	return l.look()[server] != 0
}

// Servers implements cluster.Router.
func (l *embeddedLink) Servers() []string { return slices.Collect(maps.Keys(l.look())) }

// Namesake implements cluster.Router. Servers send their names, which contain those of the nodes,
// in the first message on a route.
func (l *embeddedLink) Namesake() bool {
	l.look()
	l.routes.mu.Lock()
	defer l.routes.mu.Unlock()
	return l.routes.same
}

// look returns the current routes. A result is used for routeFresh, since many calls come together.
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

// watchRoutes is the goroutine that reports a gap when a lost route is back, since messages of the peer
// may have been lost. A peer that was restarted has another id, and does not cause a gap.
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

// returned compares routes with those seen before, and reports whether a lost route is back.
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
		// A new number means another route. It counts as a loss if the old one was missing at an
		// earlier look, or had lasted for routeSettled.
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

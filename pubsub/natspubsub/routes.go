package natspubsub

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// routes are the routes of an embedded server to its peers. The server does not report changes, so
// they are polled.
type routes struct {
	mu   sync.Mutex
	at   time.Time           // of the last look
	now  map[string]uint64   // number of the route, by server id of the peer
	met  map[string]sighting // peers of the last routeSettled, by server id
	seen map[string]route    // current and lost routes, by server id of the peer
}

// sighting is the latest look that found a peer.
type sighting struct {
	at   time.Time
	same bool // the peer has this node's name
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
	// routeSettled is how long a new route may be replaced by another. Two peers that call
	// each other at one time keep one route. Where each of them closes the other's, they have
	// none for a second, until the server calls again.
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

// Servers implements cluster.Router. A peer counts for routeSettled after its route has gone.
func (l *embeddedLink) Servers() []string {
	l.look()
	return l.routes.lately(time.Now(), func(sighting) bool { return true })
}

// Namesake implements cluster.Router. The first message on a route has the name of the
// peer's server. A peer counts for routeSettled after its route has gone.
func (l *embeddedLink) Namesake() bool {
	l.look()
	return len(l.routes.lately(time.Now(), func(s sighting) bool { return s.same })) > 0
}

// lately lists the servers of the peers that fit and that a look found within routeSettled.
func (r *routes) lately(now time.Time, fits func(sighting) bool) (servers []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, s := range r.met {
		if fits(s) && now.Sub(s.at) < routeSettled {
			servers = append(servers, id)
		}
	}
	return servers
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
	r.took(list.Routes, l.server.ServerName, time.Now())
	return r.now
}

// took stores the routes that a look has found. own is the name of this node's server. The lock
// is held.
func (r *routes) took(list []*server.RouteInfo, own string, now time.Time) {
	r.at = now
	r.now = make(map[string]uint64, len(list))
	if r.met == nil {
		r.met = make(map[string]sighting)
	}
	maps.DeleteFunc(r.met, func(_ string, s sighting) bool { return now.Sub(s.at) >= routeSettled })
	for _, info := range list {
		r.now[info.RemoteID] = info.Rid
		r.met[info.RemoteID] = sighting{now, nodeOf(info.RemoteName) == nodeOf(own)}
	}
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

package natspubsub

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// routes is what an embedded server is connected to. The server tells nobody when
// that changes, so it is looked at.
type routes struct {
	mu   sync.Mutex
	at   time.Time
	now  map[string]uint64   // by the peer's server: the number of the route
	met  map[string]sighting // by the peer's server
	seen map[string]route
}

// sighting is the last look that found a peer.
type sighting struct {
	at   time.Time
	same bool // the peer has this node's name
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
	// routeSettled is how long a new route may be replaced by another. Two peers that call
	// each other at one time keep one route. Where each of them closes the other's, they have
	// none for a second, until the server calls again.
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

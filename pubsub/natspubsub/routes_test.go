package natspubsub

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// TestRouteReturned tells a route that was lost from one that was replaced when two
// peers had called each other.
func TestRouteReturned(t *testing.T) {
	type look = map[string]uint64
	for _, row := range []struct {
		name  string
		every time.Duration
		looks []look
		lost  []bool
	}{
		{"stays", time.Second, []look{{"a": 1}, {"a": 1}, {"a": 1}}, []bool{false, false, false}},
		{"replaced at first", time.Second, []look{{"a": 1}, {"a": 2}, {"a": 2}}, []bool{false, false, false}},
		{"lost at first", time.Second, []look{{"a": 1}, {}, {"a": 2}, {"a": 2}}, []bool{false, false, true, false}},
		{"lost between two looks", routeSettled, []look{{"a": 1}, {"a": 1}, {"a": 1}, {"a": 2}}, []bool{false, false, false, true}},
		{"not looked at once", time.Second, []look{{"a": 1}, {}, {"a": 1}, {"a": 1}}, []bool{false, false, false, false}},
		{"another peer", time.Second, []look{{"a": 1}, {"b": 2}, {"b": 2}}, []bool{false, false, false}},
		{"forgotten", routeMemory * 2, []look{{"a": 1}, {}, {"a": 2}}, []bool{false, false, false}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r routes
				for i, routes := range row.looks {
					if lost := r.returned(routes); lost != row.lost[i] {
						t.Errorf("look %d: lost is %v", i, lost)
					}
					time.Sleep(row.every)
				}
			})
		})
	}
}

// TestPeersMetLately has peers whose routes were closed by both sides a moment ago. A node that
// starts at that time must still wait for their answers.
func TestPeersMetLately(t *testing.T) {
	var r routes
	namesake := func(now time.Time) bool {
		return len(r.lately(now, func(s sighting) bool { return s.same })) > 0
	}
	begin := time.Now()
	found := []*server.RouteInfo{{RemoteID: "1", RemoteName: "web/x", Rid: 5}, {RemoteID: "2", RemoteName: "api/y", Rid: 6}}
	r.took(found, "web/z", begin)
	r.took(nil, "web/z", begin.Add(time.Second))
	if len(r.now) != 0 {
		t.Errorf("routes that are gone are there: %v", r.now)
	}
	for _, look := range []struct {
		after time.Duration
		met   bool
	}{{time.Second, true}, {routeSettled - 1, true}, {routeSettled, false}} {
		now := begin.Add(look.after)
		all := r.lately(now, func(sighting) bool { return true })
		if namesake(now) != look.met || (len(all) == 2) != look.met {
			t.Errorf("%v after the routes were seen last: namesake %v, peers %v, want them to count: %v", look.after, namesake(now), all, look.met)
		}
	}
	r.took(nil, "web/z", begin.Add(routeSettled))
	if len(r.met) != 0 {
		t.Errorf("peers of long ago are kept: %v", r.met)
	}
}

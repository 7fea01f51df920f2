package natspubsub

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestRouteReturned distinguishes a route that was lost from one that was replaced because two peers
// had connected to each other.
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

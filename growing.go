package bennu

import (
	"slices"
	"sync/atomic"
)

// growing is a list that grows while other goroutines read it. Only one goroutine may add at a
// time. Endpoint.Socket uses it because a transport with its own listener serves one mount while
// others are added.
type growing[T any] struct{ list atomic.Pointer[[]T] }

// all returns the list so far. It must not be changed.
func (g *growing[T]) all() []T {
	if list := g.list.Load(); list != nil {
		return *list
	}
	return nil
}

// add appends v. Slices that all has returned do not change.
func (g *growing[T]) add(v T) {
	list := append(slices.Clip(g.all()), v)
	g.list.Store(&list)
}

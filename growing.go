package bennu

import (
	"slices"
	"sync/atomic"
)

// growing is a list that grows while others read it. One goroutine adds at a time. Endpoint.Socket
// has such lists, because a transport that listens by itself serves its mount while others are
// still made.
type growing[T any] struct{ list atomic.Pointer[[]T] }

// all returns the list so far. It must not be changed.
func (g *growing[T]) all() []T {
	if list := g.list.Load(); list != nil {
		return *list
	}
	return nil
}

// add appends to the list, for those who ask for it from now on.
func (g *growing[T]) add(v T) {
	list := append(slices.Clip(g.all()), v)
	g.list.Store(&list)
}

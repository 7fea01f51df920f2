package hello

import (
	"errors"
	"sync"
)

// shelf is how much of every item there is room for.
const shelf = 12

var (
	errSoldOut = errors.New("sold out")
	errFull    = errors.New("the shelf is full")
)

// stock is what all connections share. Channels run beside each other, so what
// they share, unlike their own fields, needs a lock.
type stock struct {
	mu   sync.Mutex
	left map[string]int
}

func newStock() *stock {
	return &stock{left: map[string]int{"papyrus": 9, "lapis": 4, "honey": 12, "incense": 6}}
}

func (s *stock) has(sku string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.left[sku]
	return ok
}

// change adds by, which may be 0 or negative, and tells the new number. tell is
// called under the lock, so that nobody hears of two changes in the wrong order; it
// must not block.
func (s *stock) change(sku string, by int, tell func(left int) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.left[sku] + by
	switch {
	case left < 0:
		return errSoldOut
	case left > shelf:
		return errFull
	}
	s.left[sku] = left
	return tell(left)
}

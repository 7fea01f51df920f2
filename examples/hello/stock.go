package hello

import (
	"errors"
	"sync"
)

// shelf is the largest number of one item.
const shelf = 12

var (
	errSoldOut = errors.New("sold out")
	errFull    = errors.New("the shelf is full")
)

// stock holds the number of each item. The channels of all connections use it at the
// same time, so it needs a lock, unlike the fields of one channel.
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

// change adds by, which may be 0 or negative, and calls tell with the new number. It
// returns errSoldOut or errFull if there are too few or too many, or the error of tell.
// tell is called under the lock, so that changes are told in the order in which they
// happen; it must not block.
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

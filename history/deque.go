package history

// deque is a list to which values are added at its end, and from which they are taken at its beginning,
// each at a constant cost. A slice that is cut at its beginning would be copied each time it is full, and
// keep what was cut off until then. The zero deque is empty.
type deque[T any] struct {
	ring  []T // its length is a power of two
	first int
	n     int
}

// leastRing is the smallest length of a ring.
const leastRing = 8

// len returns the number of values.
func (d *deque[T]) len() int { return d.n }

// at returns the value i places behind the first.
func (d *deque[T]) at(i int) *T { return &d.ring[(d.first+i)&(len(d.ring)-1)] }

// push adds a value.
func (d *deque[T]) push(v T) {
	if d.n == len(d.ring) {
		d.resize(max(leastRing, 2*d.n))
	}
	d.n++
	*d.at(d.n - 1) = v
}

// pop takes the first value. The deque must not be empty.
func (d *deque[T]) pop() T {
	first := d.at(0)
	v := *first
	var zero T
	*first = zero
	d.first = (d.first + 1) & (len(d.ring) - 1)
	d.n--
	// A ring that is hardly used any more gives its memory back, at a quarter and not at a half, so that
	// it does not shrink and grow all the time.
	switch {
	case d.n == 0 && len(d.ring) > leastRing:
		*d = deque[T]{}
	case len(d.ring) > leastRing && d.n <= len(d.ring)/4:
		d.resize(len(d.ring) / 2)
	}
	return v
}

// resize moves the values to a ring of another length.
func (d *deque[T]) resize(length int) {
	ring := make([]T, length)
	for i := range d.n {
		ring[i] = *d.at(i)
	}
	d.ring, d.first = ring, 0
}

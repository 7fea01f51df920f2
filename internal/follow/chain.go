package follow

// The bounds of a chain. What is beyond them is read from the store.
const (
	chainEntries = 1024
	chainBytes   = 1 << 20
)

// chain has the entries that wait for an earlier one, by their Prev. The lock of the follower guards it. A
// follower has one only while entries wait, or publishers wait for theirs.
type chain struct {
	waiting map[uint64]arrival
	bytes   int    // of payloads
	tail    uint64 // the last place up to which nothing is missing, if it is above the head
	passing []passing
}

// arrival is an entry in a chain. repair is how many repairs had begun when it came: those that begin later
// read it from the store, if the log has it, so that it can be dropped after them.
type arrival struct {
	*Entry
	repair uint32
}

// passing is a goroutine that waits until an entry was given to the subscribers.
type passing struct {
	offset uint64
	done   chan struct{}
}

// put adds an entry, unless there is no room.
func (c *chain) put(e *Entry, repair uint32) bool {
	if len(c.waiting) >= chainEntries || c.bytes+len(e.Payload) > chainBytes {
		return false
	}
	c.force(e, repair)
	return true
}

// force adds an entry whatever the bounds.
func (c *chain) force(e *Entry, repair uint32) {
	prev := e.Place.Prev
	if old, ok := c.waiting[prev]; ok {
		c.bytes -= len(old.Payload)
	}
	if c.waiting == nil {
		c.waiting = make(map[uint64]arrival)
	}
	c.waiting[prev] = arrival{e, repair}
	c.bytes += len(e.Payload)
}

// take removes the entry that follows a place, if it is there.
func (c *chain) take(place uint64) *Entry {
	a, ok := c.waiting[place]
	if !ok {
		return nil
	}
	c.remove(place, a)
	return a.Entry
}

// remove removes the entry that waits for prev.
func (c *chain) remove(prev uint64, a arrival) {
	delete(c.waiting, prev)
	c.bytes -= len(a.Payload)
}

// reach returns the last place up to which nothing is missing, if the head is the given one. It goes on from
// the place that it returned last, so all calls together look at each entry once.
func (c *chain) reach(head uint64) uint64 {
	c.tail = max(c.tail, head)
	for {
		a, ok := c.waiting[c.tail]
		if !ok {
			return c.tail
		}
		c.tail = a.Place.Offset
	}
}

// has reports whether a place that reach has passed is that of an entry that waits.
func (c *chain) has(head, offset uint64) bool {
	for place := head; ; {
		a, ok := c.waiting[place]
		if !ok || place >= offset {
			return place == offset
		}
		place = a.Place.Offset
	}
}

// clean removes what cannot be taken any more: entries up to the head, and those that came before a
// repair.
func (c *chain) clean(head uint64, repair uint32) {
	for prev, a := range c.waiting {
		if a.Place.Offset <= head || a.repair < repair {
			c.remove(prev, a)
		}
	}
}

// clear removes all entries. Nobody waits for them any more.
func (c *chain) clear() {
	c.waiting, c.bytes, c.tail = nil, 0, 0
	c.release(^uint64(0))
}

// release ends the wait for entries up to an offset.
func (c *chain) release(offset uint64) {
	kept := c.passing[:0]
	for _, p := range c.passing {
		if p.offset <= offset {
			close(p.done)
		} else {
			kept = append(kept, p)
		}
	}
	clear(c.passing[len(kept):])
	c.passing = kept
}

// forget ends the wait of one goroutine.
func (c *chain) forget(done chan struct{}) {
	for i := range c.passing {
		if c.passing[i].done == done {
			c.passing = append(c.passing[:i], c.passing[i+1:]...)
			return
		}
	}
}

// idle reports whether the chain holds nothing, so that its follower needs none.
func (c *chain) idle() bool { return len(c.waiting) == 0 && len(c.passing) == 0 }

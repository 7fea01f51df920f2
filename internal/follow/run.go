package follow

import (
	"cmp"
	"slices"
)

// run is a contiguous piece of a log in memory: each entry follows the one before it, and the first one
// follows base. So whoever is at base, or at one of the entries, gets all that comes after.
type run struct {
	base    uint64 // the place after which it begins
	entries []*Entry
	payload int   // bytes of payloads
	used    int64 // when somebody took or read an entry, in milliseconds of clock
}

// end returns the place that whoever has all of the run has reached.
func (r *run) end() uint64 {
	if n := len(r.entries); n > 0 {
		return r.entries[n-1].Place.Offset
	}
	return r.base
}

// size is the memory of the entries, about.
func (r *run) size() int { return r.payload + overhead*len(r.entries) }

// add puts an entry at the end.
func (r *run) add(e *Entry) {
	r.entries = append(r.entries, e)
	r.payload += len(e.Payload)
}

// drop removes the n oldest entries.
func (r *run) drop(n int) {
	if n == 0 {
		return
	}
	for _, e := range r.entries[:n] {
		r.payload -= len(e.Payload)
	}
	r.base = r.entries[n-1].Place.Offset
	if n == len(r.entries) {
		r.entries = nil
		return
	}
	clear(r.entries[:n])
	r.entries = r.entries[n:]
	// The part that was cut off stays in memory until the list is copied.
	if n > 64 && cap(r.entries) > 2*len(r.entries) {
		r.entries = slices.Clone(r.entries)
	}
}

// oldest returns how many of the oldest entries, but at most so many, must go to free some bytes.
func (r *run) oldest(bytes, most int) int {
	n := 0
	for n < most && bytes > 0 {
		bytes -= r.entries[n].size()
		n++
	}
	return n
}

// bound drops the oldest entries until at most so many, with so many bytes of payloads, are left.
func (r *run) bound(entries, bytes int) {
	n, payload := max(0, len(r.entries)-entries), r.payload
	for _, e := range r.entries[:n] {
		payload -= len(e.Payload)
	}
	for payload > bytes && n < len(r.entries) {
		payload -= len(r.entries[n].Payload)
		n++
	}
	r.drop(n)
}

// covers reports whether a place lies within the run, be there an entry or not.
func (r *run) covers(offset uint64) bool { return offset >= r.base && offset <= r.end() }

// after returns the entries after a place, and whether an entry, or the beginning of the run, is there.
func (r *run) after(offset uint64) (list []*Entry, ok bool) {
	if offset == r.base {
		return r.entries, true
	}
	i, ok := slices.BinarySearchFunc(r.entries, offset, func(e *Entry, offset uint64) int {
		return cmp.Compare(e.Place.Offset, offset)
	})
	if !ok {
		return nil, false
	}
	return r.entries[i+1:], true
}

// find returns the entries after a place, or Gone if the place lies within the run and no entry is
// there, or else Missing.
func (r *run) find(offset uint64) ([]*Entry, State) {
	if !r.covers(offset) {
		return nil, Missing
	}
	switch list, ok := r.after(offset); {
	case !ok:
		return nil, Gone
	case len(list) > 0:
		return list, Some
	}
	return nil, Missing // the end
}

// page returns a copy of the first entries of a list, at most as many as the bounds allow, but one at
// least.
func page(list []*Entry, entries, bytes int) []*Entry {
	n := 0
	for n < len(list) && n < max(entries, 1) {
		if bytes -= len(list[n].Payload); bytes < 0 && n > 0 {
			break
		}
		n++
	}
	return slices.Clone(list[:n])
}

package follow

import (
	"context"
	"errors"
)

// The bounds of a page. It is large, since a channel that was away for long needs several, and small enough
// that a store answers others meanwhile. Followers.pageBytes may lower the second.
const (
	pageEntries = 1000
	pageBytes   = 1 << 20
)

// pageBytes bounds the payloads of a page that is read from the store, so that many pages fit.
func (f *Followers) pageBytes() int { return min(pageBytes, int(f.cache.limit()/64)) }

var errAnswer = errors.New("history: the answer of the store is not a piece of a log")

// page reads one page after a place, and checks that it is a contiguous piece of a log.
func (f *follower) page(after uint64) (Page, error) {
	return f.call(func(ctx context.Context) (Page, error) {
		p, err := f.all.o.Source.Read(ctx, f.name, after, pageEntries, f.all.pageBytes())
		if err == nil && len(p.Entries) > 0 && (!p.Known || p.Entries[0].Place.Prev != after) {
			err = errAnswer
		}
		return p, err
	})
}

// call counts and bounds a read of the store, and checks its answer. An error is logged here, so that
// callers only have to try again.
func (f *follower) call(read func(ctx context.Context) (Page, error)) (Page, error) {
	ctx, cancel := context.WithTimeout(f.all.ctx, sourceTime)
	defer cancel()
	f.all.reads.Add(1)
	p, err := read(ctx)
	if err == nil {
		err = f.check(&p)
	}
	if err != nil {
		f.all.sayRead(f.name, 1, err)
	}
	return p, err
}

// check reports whether the entries of a page follow each other, and puts others in the place of those
// that are not sound.
func (f *follower) check(p *Page) error {
	for i, e := range p.Entries {
		if e.Message == nil || e.Place == nil || e.Place.Epoch != p.Epoch || e.Place.Offset <= e.Place.Prev ||
			e.Place.Offset > p.Head || i > 0 && e.Place.Prev != p.Entries[i-1].Place.Offset {
			return errAnswer
		}
	}
	for i, e := range p.Entries {
		p.Entries[i] = f.checked(e)
	}
	return nil
}

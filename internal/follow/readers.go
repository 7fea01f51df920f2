package follow

import "sync"

// mostReaders bounds the reads of the store at one time.
const mostReaders = 32

// readers are goroutines that read the store for followers. There are as many as there is work for,
// within bounds.
type readers struct {
	all     *Followers
	mu      sync.Mutex
	queue   []*follower
	running int
}

// add lets a follower read what it wants.
func (r *readers) add(f *follower) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, f)
	if r.running < mostReaders {
		r.running++
		r.all.tasks.Start(r)
	}
}

// next takes a follower from the queue. If there is none, the goroutine that calls it ends.
func (r *readers) next() *follower {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 || r.all.ctx.Err() != nil {
		r.running--
		r.queue = nil
		return nil
	}
	f := r.queue[0]
	r.queue[0] = nil
	r.queue = r.queue[1:]
	return f
}

// Run implements task.Runner.
func (r *readers) Run() {
	for f := r.next(); f != nil; f = r.next() {
		f.read()
	}
}

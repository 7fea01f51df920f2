package follow

// starting is what a follower needs until it has started. The lock of the follower guards it.
type starting struct {
	ready chan struct{} // closed when it has started or ended; nil while nobody waits
	holds int           // publishes for which the follower waits before it starts
	first *Position     // the head by which it starts then
	early *Position     // the place before the oldest of their messages
}

// needStarting returns the starting of a follower that has neither started nor ended. The caller holds f.mu.
func (f *follower) needStarting() *starting {
	if f.starting == nil {
		f.starting = new(starting)
	}
	return f.starting
}

// readyChan returns the channel that over closes.
func (s *starting) readyChan() chan struct{} {
	if s.ready == nil {
		s.ready = make(chan struct{})
	}
	return s.ready
}

// over wakes those who wait for the start. s may be nil.
func (s *starting) over() {
	if s != nil && s.ready != nil {
		close(s.ready)
	}
}

// start subscribes to the PubSub and asks the store for the head once the interest is ready: then no
// later entry is missed. Entries that come before the answer wait in the chain.
func (f *follower) start() {
	sub := f.all.o.PubSub.Subscribe(f.name, f)
	f.mu.Lock()
	f.sub = sub
	ended := f.ended
	f.mu.Unlock()
	if ended { // by Close, which did not find sub
		sub.Cancel()
		return
	}
	if ready := sub.Ready(); open(ready) {
		f.all.tasks.Go(func() { f.awaitReady(ready) })
		return
	}
	f.askFirst()
}

// open reports whether the channel of pubsub.Subscription.Ready has to be waited for.
func open(ready <-chan struct{}) bool {
	select {
	case <-ready:
		return false
	default:
		return ready != nil
	}
}

// awaitReady asks for the head when the interest is ready.
func (f *follower) awaitReady(ready <-chan struct{}) {
	for open(ready) {
		select {
		case <-ready:
			ready = f.sub.Ready() // another one, if the broker refuses the topic meanwhile
		case <-f.all.ctx.Done():
			return
		}
	}
	f.askFirst()
}

// askFirst asks for the head by which the follower starts.
func (f *follower) askFirst() {
	f.mu.Lock()
	f.interested = true
	f.mu.Unlock()
	f.ask()
}

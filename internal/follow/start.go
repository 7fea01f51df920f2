package follow

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

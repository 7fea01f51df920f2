package follow

// start subscribes to the PubSub and asks the store for the head once the interest is ready: then no
// later entry is missed. Entries that come before the answer wait in the chain.
func (f *follower) start() {
	sub := f.all.o.PubSub.Subscribe(f.name, f)
	f.mu.Lock()
	f.sub = sub
	ended := f.ended
	f.mu.Unlock()
	if ended { // by Close
		sub.Cancel()
		return
	}
	if ready := sub.Ready(); ready != nil {
		f.all.tasks.Go(func() { f.awaitReady(ready) })
		return
	}
	f.ask()
}

// awaitReady asks for the head when the interest is ready.
func (f *follower) awaitReady(ready <-chan struct{}) {
	for ready != nil {
		select {
		case <-ready:
			ready = f.sub.Ready()
		case <-f.all.ctx.Done():
			return
		}
	}
	f.ask()
}

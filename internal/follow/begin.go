package follow

import "context"

// Begin begins the log of the topic if it has none. A topic without a log has no position that could
// be given to a client; after Begin it has one. Begin waits until the store answers. The error is the
// cause of ctx.
func (s *Subscription) Begin(ctx context.Context) error {
	if err := s.begun(ctx); err != nil {
		return err
	}
	f := s.follower
	f.mu.Lock()
	if f.epoch != "" || f.ended {
		f.mu.Unlock()
		return nil
	}
	done := f.beginning // one goroutine begins the log, for all who wait
	if done == nil {
		done = make(chan struct{})
		f.beginning = done
		f.all.tasks.Go(func() { f.beginLog(done) })
	}
	f.mu.Unlock()
	return f.all.wait(ctx, done)
}

// beginLog begins the log, and closes done when the follower knows its epoch. It tries until the store
// answers: without a position, a client that is cut would miss what comes until it is back.
func (f *follower) beginLog(done chan struct{}) {
	for pause := leastPause; f.lacksLog(); pause = min(2*pause, mostPause) {
		// The store does nothing if another node has begun the log. Either way the repair finds it.
		_, err := f.all.rotate(f.name, "")
		if err == nil {
			_ = f.await(f.all.ctx, func(done chan struct{}) { f.repairNow(done) }) // fails only after the end
			break
		}
		f.all.sayRead(f.name, 1, err)
		f.all.sleep(pause)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beginning = nil
	close(done)
}

// lacksLog reports whether the follower goes on, and knows no epoch yet.
func (f *follower) lacksLog() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.epoch == "" && !f.ended && f.all.ctx.Err() == nil
}

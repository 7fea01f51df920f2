package follow

import "context"

// Begin begins the log of the topic if it has none. A topic without a log has no position that could
// be given to a client; after Begin it has one, unless the store has failed. The error is the cause of
// ctx.
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
	done := f.beginning
	if done == nil {
		done = make(chan struct{})
		f.beginning = done
		f.all.tasks.Go(func() { f.beginLog(done) })
	}
	f.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-f.all.ctx.Done():
		return context.Cause(f.all.ctx)
	}
}

// beginLog begins the log, and closes done when the follower knows its epoch or the store has failed.
func (f *follower) beginLog(done chan struct{}) {
	if _, err := f.all.rotate(f.name, ""); err == nil {
		_ = f.await(f.all.ctx, func(done chan struct{}) { f.repairNow(done) }) // fails only after the end
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beginning = nil
	close(done)
}

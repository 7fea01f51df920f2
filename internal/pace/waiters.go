package pace

import "github.com/bennu-go/bennu/internal/task"

// Waiters are those who wait until the queue of a connection is low. The zero value is ready. The
// lock of the connection guards it, until Wake.
type Waiters struct {
	low       chan struct{} // nil while nobody waits for it
	functions []func()
}

// Low returns a channel that Wake closes.
func (w *Waiters) Low() <-chan struct{} {
	if w.low == nil {
		w.low = make(chan struct{})
	}
	return w.low
}

// Call makes Wake call f.
func (w *Waiters) Call(f func()) { w.functions = append(w.functions, f) }

// Wake wakes all waiters. It may be called under any lock: the functions are called in a goroutine
// of the group, one after another. w must not be used afterwards.
func (w *Waiters) Wake(tasks *task.Group) {
	if w.low != nil {
		close(w.low)
	}
	if len(w.functions) > 0 {
		tasks.Start(w)
	}
}

// Run implements task.Runner.
func (w *Waiters) Run() {
	for _, f := range w.functions {
		f()
	}
}

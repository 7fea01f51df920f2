package bennu

import (
	"runtime"
	"sync"

	"github.com/bennu-go/bennu/internal/task"
)

// replayers are the goroutines that read the histories for all connections of a node. There are few of
// them, so that the connections write meanwhile what was read: when thousands of clients come back at
// once, each has a short time with full queues instead of all having them for long, and broadcasts do
// not wait behind all of these queues. A goroutine exists only while a connection has something to read.
type replayers struct {
	tasks *task.Group
	most  int // goroutines

	mu      sync.Mutex // taken last
	list    []*replays // the first is next
	running int
}

// init lets half of the processors replay at most.
func (p *replayers) init(tasks *task.Group) {
	p.tasks, p.most = tasks, max(1, runtime.GOMAXPROCS(0)/2)
}

// start lets r run when its turn comes.
func (p *replayers) start(r *replays) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, r)
	if p.running < p.most {
		p.running++
		p.tasks.Start(p)
	}
}

// next returns the connection whose turn it is, or nil if the goroutine must end.
func (p *replayers) next() *replays {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) == 0 {
		p.running, p.list = p.running-1, nil
		return nil
	}
	r := p.list[0]
	p.list[0] = nil
	p.list = p.list[1:]
	return r
}

// Run implements task.Runner.
func (p *replayers) Run() {
	for r := p.next(); r != nil; r = p.next() {
		if r.run() {
			p.start(r)
		}
	}
}

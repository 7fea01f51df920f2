package redishistory

import (
	"context"
	"sync"

	"github.com/bennu-go/bennu/history"
)

// headsOfScript is the number of topics of one run of heads.lua. All others of the server wait for it, so
// there are several short runs and not a long one.
const headsOfScript = 50

// strangeEpoch is the epoch that heads.lua returns where others have changed the hash of a log. It is none: the
// next append, or Rotate, begins a new one.
const strangeEpoch = "?"

// Heads implements history.Store. The topics of one slot of a cluster, or of the only server, share the runs of
// a script; runs for the same server share pipelines.
func (s *store) Heads(ctx context.Context, topics []string) ([]history.Head, error) {
	type part struct {
		call
		index []int // of its topics
	}
	var parts []*part
	open := make(map[int]*part) // by slot
	for i, topic := range topics {
		k := s.keys(topic)
		slot := 0 // one server has all
		if s.router.cluster() {
			slot = k.slot()
		}
		p := open[slot]
		if p == nil || len(p.index) == headsOfScript {
			p = &part{call: call{script: headsScript, slot: slot, reads: true}}
			open[slot] = p
			parts = append(parts, p)
		}
		p.call.keys = append(p.call.keys, k.meta(), k.stream())
		p.index = append(p.index, i)
	}
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for i, p := range parts {
		all.Go(func() { errs[i] = s.router.do(ctx, &p.call) })
	}
	all.Wait()
	heads := make([]history.Head, len(topics))
	for i, p := range parts {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if len(p.reply) != 2*len(p.index) {
			return nil, unavailable(errStrange)
		}
		for j, at := range p.index {
			offset, ok := numberOf(p.reply[2*j+1])
			if !ok {
				return nil, unavailable(errStrange)
			}
			epoch, _ := p.reply[2*j].(string)
			if epoch == strangeEpoch {
				s.say(topics[at], foreign)
				epoch = ""
			}
			heads[at] = history.Head{Epoch: epoch, Offset: offset}
		}
	}
	return heads, nil
}

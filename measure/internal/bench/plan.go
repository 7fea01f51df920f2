package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// plan says what is measured.
type plan struct {
	runs   int
	sizes  []int
	extras bool
	only   string // what begins the kinds to measure
}

// result is one run of the load program.
type result struct {
	Target      string
	Kind        string
	Connections int
	Report      *report
}

// results are all of them, with the machine they are from.
type results struct {
	Machine machine
	Runs    int
	Sizes   []int
	All     []result
}

// kinds of results.
const (
	kindTour    = "tour"    // connect, echo, load, broadcast, ahead
	kindStorm   = "storm"   // connect, reconnect
	kindSlow    = "slow"    // 200 subscribers, 20 of whom do not read
	kindSlowOf  = "slow-of" // 200 of many do not read
	kindSlowNo  = "slow-no" // the same with all reading
	kindTopics  = "topics"  // 100 topics a connection
	kindMany    = "many"    // broadcasts while there are 100,000 topics
	kindDeep    = "deep"    // echoes of which many arrive in one read
	slowSize    = 10_000
	topicsSize  = 10_000
	perSizeSlow = 200
	deepSize    = 200
)

type step struct {
	target target
	kind   string
	size   int
	args   []string
}

// steps are in the order in which they run: what is compared runs one after the other.
func (p *plan) steps() (all []step) {
	for _, n := range p.sizes {
		// Each connection shall have echoed once at least when memory is read.
		echo := []string{"--echo-rate", fmt.Sprint(n * 3 / 4), "--echo-time", "2s", "--load-time", "2s"}
		tour := func(phases string) []string { return append([]string{"--phases", phases}, echo...) }
		all = append(all,
			step{floor, kindTour, n, tour("connect,load,broadcast")},
			step{gather, kindTour, n, tour("connect,load,ahead")},
			step{polled, kindTour, n, tour("connect,echo,load,broadcast,ahead")},
			step{parked, kindTour, n, tour("connect,echo,load,broadcast,ahead")},
		)
	}
	if !p.extras {
		return all
	}
	largest := p.sizes[len(p.sizes)-1]
	slow := func(subscribers, readers string) []string {
		return []string{"--phases", "slow", "--slow-subscribers", subscribers, "--slow-readers", readers}
	}
	// Enough for each to fill the kernel's buffers and then its queue.
	many := []string{"--slow-payload", "8192", "--slow-broadcasts", "900", "--slow-ahead", "20"}
	all = append(all,
		step{polled, kindSlowOf, slowSize, append(slow(fmt.Sprint(slowSize), "200"), many...)},
		step{polled, kindSlowNo, slowSize, append(slow(fmt.Sprint(slowSize), "0"), many...)},
	)
	for _, t := range []target{polled, parked} {
		all = append(all,
			step{t, kindStorm, largest, []string{"--phases", "reconnect", "--at-once", fmt.Sprint(largest)}},
			step{t, kindSlow, 200, slow("200", "20")},
			step{t, kindDeep, deepSize, []string{"--phases", "load", "--load-outstanding", "64"}},
			step{t, kindMany, 1000, []string{"--phases", "broadcast,ahead", "--topics", "100"}},
			step{t, kindTopics, topicsSize, []string{"--phases", "connect", "--topics", "100"}},
		)
	}
	return all
}

func (p *plan) measure(ctx context.Context, b *binaries) (*results, error) {
	r := &results{Machine: thisMachine(), Runs: p.runs, Sizes: p.sizes}
	steps := slices.DeleteFunc(p.steps(), func(s step) bool { return !strings.HasPrefix(s.kind, p.only) })
	began := time.Now()
	for i := range p.runs {
		for k, s := range steps {
			fmt.Fprintf(os.Stderr, "%7s  run %d of %d, step %d of %d: %s, %s, %d connections\n",
				time.Since(began).Round(time.Second), i+1, p.runs, k+1, len(steps), s.target.Name, s.kind, s.size)
			report, err := load(ctx, b, s.target, s.size, s.args...)
			if err != nil {
				return r, err
			}
			r.All = append(r.All, result{s.target.Name, s.kind, s.size, report})
		}
	}
	return r, nil
}

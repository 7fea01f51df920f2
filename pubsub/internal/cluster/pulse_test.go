package cluster

import (
	"testing"
	"time"
)

// TestPulse has a beat of eight seconds, so that a tick is one.
func TestPulse(t *testing.T) {
	const beat = 8 * time.Second
	for name, c := range map[string]struct {
		tick func(p *Pulse, n int, now *time.Time) // before tick n
		want int                                   // the tick at which the broker is silent; 0: never
	}{
		"all is well":          {func(p *Pulse, n int, _ *time.Time) { p.Written(); p.Heard() }, 0},
		"silent":               {func(p *Pulse, n int, _ *time.Time) { p.Written() }, pulseStill},
		"takes nothing":        {func(*Pulse, int, *time.Time) {}, pulseStill},
		"takes, delivers none": {func(p *Pulse, n int, _ *time.Time) { p.Written(); p.Sent() }, pulseStill},
		"beat in a queue": {func(p *Pulse, n int, _ *time.Time) {
			if p.Sent(); n > 50 {
				p.Written()
			}
		}, 50 + pulseStill},
		"delivers all but beats": {func(p *Pulse, n int, _ *time.Time) { p.Written(); p.Enter(); p.Leave() }, pulseMost},
		"falls silent later": {func(p *Pulse, n int, _ *time.Time) {
			if p.Written(); n <= 5 {
				p.Enter()
				p.Leave()
			}
		}, 5 + pulseStill},
		"stopped at times": {func(p *Pulse, n int, now *time.Time) {
			if p.Written(); n%5 == 0 {
				*now = now.Add(12 * time.Second)
			}
		}, 0},
		"stopped once": {func(p *Pulse, n int, now *time.Time) {
			if p.Written(); n == 3 {
				*now = now.Add(12 * time.Second)
			}
		}, 3 + pulseStill},
		"a little late": {func(p *Pulse, n int, now *time.Time) {
			p.Written()
			*now = now.Add(time.Second / 2)
		}, pulseStill},
		"the reader waits for this node": {func(p *Pulse, n int, _ *time.Time) {
			if p.Written(); n == 1 {
				p.Enter()
			} else if n == 20 {
				p.Leave()
			}
		}, 20 + pulseStill},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			p := NewPulse(beat)
			p.due = now.Add(p.Step())
			got := 0
			for n := 1; n <= 4*pulseMost && got == 0; n++ {
				if n%pulseSteps == 1 {
					p.Asked(now)
				}
				c.tick(p, n, &now)
				now = now.Add(p.Step())
				if _, silent := p.Tick(now); silent > 0 {
					got = n
				}
			}
			if got != c.want {
				t.Errorf("silent at tick %d, want %d", got, c.want)
			}
		})
	}
}

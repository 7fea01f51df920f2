package bench

import (
	"context"
	"runtime/debug"
	"time"
)

// settle waits, and makes the server collect its garbage if the application has an event for it.
func (l *loop) settle(ctx context.Context) (collected bool, err error) {
	l.tick()
	if err := l.run(ctx, &pausePhase{quiet{l}, l.now + l.o.settle}); err != nil {
		return false, err
	}
	if l.o.app.collectEvent == "" {
		return false, nil
	}
	c := &collectPhase{quiet: quiet{l}}
	err = l.goOn("collect", l.run(ctx, c))
	return c.ok, err
}

// readings reads the memory of both processes after a pause.
func (l *loop) readings(ctx context.Context) (server, self int64, err error) {
	collected, err := l.settle(ctx)
	l.report.Memory.Collected = l.report.Memory.Collected && collected
	if err != nil {
		return 0, 0, err
	}
	if server, err = l.server.memory(); err != nil {
		return 0, 0, err
	}
	debug.FreeOSMemory()
	self, err = l.self.memory()
	return server, self, err
}

// idle reads memory when n connections are joined and nothing was sent yet.
func (l *loop) idle(ctx context.Context, n int) (err error) {
	m := l.report.Memory
	if m.ServerIdle, m.BenchIdle, err = l.readings(ctx); err != nil || n == 0 {
		return err
	}
	if l.server.pid != 0 {
		m.ServerPerIdle = float64(m.ServerIdle-m.ServerBefore) / float64(n)
		m.ServerPerTopic = m.ServerPerIdle / float64(l.o.topics)
	}
	m.BenchPerIdle = float64(m.BenchIdle-m.BenchBefore) / float64(n)
	return nil
}

// traffic reads memory after the phases in which most connections take part.
func (l *loop) traffic(ctx context.Context) (err error) {
	m, n := l.report.Memory, l.report.Connect.Connected
	if m.ServerTraffic, m.BenchTraffic, err = l.readings(ctx); err != nil || n == 0 {
		return err
	}
	if l.server.pid != 0 {
		m.ServerPerAfter = float64(m.ServerTraffic-m.ServerBefore) / float64(n)
	}
	m.BenchPerAfter = float64(m.BenchTraffic-m.BenchBefore) / float64(n)
	return nil
}

// collectPhase makes the server collect its garbage.
type collectPhase struct {
	quiet
	asked          int // connection
	sent, done, ok bool
}

func (p *collectPhase) progress() string { return "memory: the server collects its garbage" }

func (p *collectPhase) step(now time.Duration) (time.Duration, bool, error) {
	if !p.sent {
		p.sent = true
		p.done = true
		for i := range p.l.conns {
			if c := &p.l.conns[i]; c.state == open && !c.paused {
				p.asked, p.done = i, false
				p.l.ask(i, 0, kindCollect, 0, p.l.collectEvent, []byte("{}"))
				break
			}
		}
	}
	return now + time.Second, p.done, nil
}

func (p *collectPhase) reply(_ int, k kind, _ int, ok bool, _ []byte) {
	if k == kindCollect {
		p.done, p.ok = true, ok
	}
}

func (p *collectPhase) lost(i int, was *conn, why loss) {
	p.l.fault(was, why)
	p.done = p.done || i == p.asked
}

// pausePhase waits for a time with everybody connected.
type pausePhase struct {
	quiet
	until time.Duration
}

func (p *pausePhase) progress() string { return "memory: settling" }

func (p *pausePhase) step(now time.Duration) (time.Duration, bool, error) {
	p.l.useful()
	return p.until, now >= p.until, nil
}

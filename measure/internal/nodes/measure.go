package nodes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bennu-go/bennu/measure/internal/part"
)

// cluster has three nodes: one publishes, one receives, one wants nothing.
type cluster struct {
	options
	broker                     *part.Process // nil: embedded
	port                       int
	publisher, receiver, third *part.Process
	all                        []*part.Process
}

func measure(ctx context.Context, o options) error {
	c := &cluster{options: o}
	defer func() {
		for _, p := range c.all {
			p.Kill()
		}
	}()
	if err := c.start(ctx); err != nil {
		return err
	}
	fmt.Printf("broker %s: one node publishes, one receives, one wants nothing; %d byte payloads\n", o.broker, o.size)
	for _, step := range []func() error{c.alone, c.stream, c.idle, c.many} {
		if err := step(); err != nil {
			return err
		}
	}
	return c.restart(ctx)
}

func (c *cluster) start(ctx context.Context) (err error) {
	args := []string{"embedded", "127.0.0.1:0"}
	if c.options.broker != "embedded" {
		if c.port, err = freePort(); err != nil {
			return err
		}
		var url string
		if c.broker, url, err = startBroker(ctx, c.options.broker, c.port); err != nil {
			return err
		}
		c.all = append(c.all, c.broker)
		args = []string{c.options.broker, url}
	}
	for _, n := range []struct {
		name string
		p    **part.Process
	}{{"publisher", &c.publisher}, {"receiver", &c.receiver}, {"third", &c.third}} {
		p, addr, err := part.Self(ctx, Node, append([]string{n.name}, args...)...)
		if err != nil {
			return err
		}
		*n.p = p
		c.all = append(c.all, p)
		if c.options.broker == "embedded" {
			args = append(args, addr) // the next ones know this one
		}
	}
	_, err = c.receiver.Ask("subscribe t 1")
	return err
}

// received waits for messages and returns the percentiles of how long they took.
func (c *cluster) received(n int) (p50, p99, p999 time.Duration, err error) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		h, err := healthOf(c.receiver)
		if err != nil {
			return 0, 0, 0, err
		}
		if int(h.Received+h.Missed) >= n {
			break
		}
		if time.Now().After(end) {
			return 0, 0, 0, fmt.Errorf("only %d of %d messages have arrived", h.Received, n)
		}
	}
	s, err := c.receiver.Ask("times")
	if err != nil {
		return 0, 0, 0, err
	}
	var count int
	_, err = fmt.Sscan(s, &count, &p50, &p99, &p999)
	return p50, p99, p999, err
}

const aloneMessages = 2000

// alone publishes one at a time: what the way to another node adds.
func (c *cluster) alone() error {
	if _, err := c.publisher.Ask("publish t0 %d 500 %d", aloneMessages, c.size); err != nil {
		return err
	}
	p50, p99, p999, err := c.received(aloneMessages)
	if err != nil {
		return err
	}
	fmt.Printf("  latency added, 500 a second:      p50 %v  p99 %v  p99.9 %v\n", p50.Round(time.Microsecond), p99.Round(time.Microsecond), p999.Round(time.Microsecond))
	return nil
}

// stream publishes many: what each costs each process.
func (c *cluster) stream() error {
	n := c.rate * c.seconds
	parts := []*part.Process{c.publisher, c.broker, c.receiver}
	before, err := cpuOf(parts)
	if err != nil {
		return err
	}
	if _, err := c.publisher.Ask("publish t0 %d %d %d", n, c.rate, c.size); err != nil {
		return err
	}
	p50, p99, p999, err := c.received(aloneMessages + n)
	if err != nil {
		return err
	}
	fmt.Printf("  latency added, %d a second:    p50 %v  p99 %v  p99.9 %v\n", c.rate, p50.Round(time.Microsecond), p99.Round(time.Microsecond), p999.Round(time.Microsecond))
	after, err := cpuOf(parts)
	if err != nil {
		return err
	}
	var each [3]string
	for i, p := range parts {
		each[i] = "(in the nodes)"
		if p != nil {
			each[i] = fmt.Sprintf("%.2f µs", float64((after[i]-before[i]).Microseconds())/float64(n))
		}
	}
	fmt.Printf("  CPU a message:                    publisher %s  broker %s  receiver %s\n", each[0], each[1], each[2])
	return nil
}

// cpuOf is what some parts have used of the processors, 0 for one that does not run.
func cpuOf(parts []*part.Process) (all [3]time.Duration, err error) {
	for i, p := range parts {
		if p == nil {
			continue
		}
		if all[i], err = p.CPU(); err != nil {
			return all, err
		}
	}
	return all, nil
}

// idle shows what a node got that wants nothing.
func (c *cluster) idle() error {
	h, err := healthOf(c.third)
	if err != nil {
		return err
	}
	before, err := c.third.BytesRead()
	if err != nil {
		return err
	}
	if _, err := c.publisher.Ask("publish t0 %d %d %d", c.rate, c.rate, c.size); err != nil {
		return err
	}
	after, err := c.third.BytesRead()
	if err != nil {
		return err
	}
	fmt.Printf("  node that wants nothing:          %d messages received; %d bytes read while %d broadcasts were published\n", h.Received, after-before, c.rate)
	return nil
}

// many gives one node many topics.
func (c *cluster) many() error {
	heap, err := c.third.Number("memory")
	if err != nil {
		return err
	}
	var atBroker int64
	if c.broker != nil {
		if atBroker, err = c.broker.Memory(); err != nil {
			return err
		}
	}
	took, err := c.third.Number("subscribe many: %d", c.options.topics)
	if err != nil {
		return err
	}
	after, err := c.third.Number("memory")
	if err != nil {
		return err
	}
	per := func(bytes int64) string {
		return fmt.Sprintf("%.2f KB", float64(bytes)/1024/float64(c.options.topics))
	}
	fmt.Printf("  %d topics on one node:        %s of heap each, all confirmed after %v\n", c.options.topics, per(int64(after-heap)), time.Duration(took).Round(time.Millisecond))
	if c.broker == nil {
		return nil
	}
	now, err := c.broker.Memory()
	if err != nil {
		return err
	}
	fmt.Printf("  at the broker:                    %s resident each\n", per(now-atBroker))
	return nil
}

// restart takes the broker away for a moment, if it is a process of its own.
func (c *cluster) restart(ctx context.Context) error {
	if c.broker == nil {
		return nil
	}
	c.broker.Kill()
	for known := false; !known; time.Sleep(time.Millisecond) {
		h, err := healthOf(c.third)
		if err != nil {
			return err
		}
		known = !h.Connected
	}
	p, _, err := startBroker(ctx, c.options.broker, c.port)
	if err != nil {
		return err
	}
	c.broker = p
	c.all = append(c.all, p)
	took, err := c.third.Number("confirmed")
	if err != nil {
		return err
	}
	fmt.Printf("  after the broker was started anew: all interest is there again after %v\n", time.Duration(took).Round(time.Millisecond))
	return nil
}

// health is what is used of a node's pubsub.Health, whose error has no way back from JSON.
type health struct {
	Connected        bool
	Received, Missed uint64
}

// healthOf asks a node.
func healthOf(node *part.Process) (h health, err error) {
	text, err := node.Ask("health")
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal([]byte(text), &h)
}

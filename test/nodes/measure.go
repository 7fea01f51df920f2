package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// bench is a cluster of three: one node publishes, one receives, one wants nothing.
type bench struct {
	options
	broker                     *process // nil: embedded
	port                       int
	publisher, receiver, third *process
	all                        []*process
}

func measure(o options) error {
	b := &bench{options: o}
	defer func() {
		for _, p := range b.all {
			p.end()
		}
	}()
	if err := b.start(); err != nil {
		return err
	}
	fmt.Printf("broker %s: one node publishes, one receives, one wants nothing; %d byte payloads\n", o.broker, o.size)
	for _, step := range []func() error{b.alone, b.stream, b.idle, b.topics} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) start() (err error) {
	args := []string{"embedded", "127.0.0.1:0"}
	if b.options.broker != "embedded" {
		if b.port, err = freePort(); err != nil {
			return err
		}
		var url string
		if b.broker, url, err = startBroker(b.options.broker, b.port); err != nil {
			return err
		}
		b.all = append(b.all, b.broker)
		args = []string{b.options.broker, url}
	}
	for _, n := range []struct {
		name string
		p    **process
	}{{"publisher", &b.publisher}, {"receiver", &b.receiver}, {"third", &b.third}} {
		p, err := self("node", append([]string{n.name}, args...)...)
		if err != nil {
			return err
		}
		*n.p = p
		b.all = append(b.all, p)
		if b.options.broker == "embedded" {
			args = append(args, p.hello) // the next ones know this one
		}
	}
	_, err = b.receiver.ask("subscribe t 1")
	return err
}

// received waits for messages and returns the percentiles of how long they took.
func (b *bench) received(n int) (p50, p99, p999 time.Duration, err error) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		h, err := b.receiver.ask("health")
		if err != nil {
			return 0, 0, 0, err
		}
		var health pubsub.Health
		if err := json.Unmarshal([]byte(h), &health); err != nil {
			return 0, 0, 0, err
		}
		if int(health.Received+health.Missed) >= n {
			break
		}
		if time.Now().After(end) {
			return 0, 0, 0, fmt.Errorf("only %d of %d messages have arrived", health.Received, n)
		}
	}
	s, err := b.receiver.ask("times")
	if err != nil {
		return 0, 0, 0, err
	}
	var count int
	_, err = fmt.Sscan(s, &count, &p50, &p99, &p999)
	return p50, p99, p999, err
}

const aloneMessages = 2000

// alone publishes one at a time: what the way to another node adds.
func (b *bench) alone() error {
	if _, err := b.publisher.ask("publish t0 %d 500 %d", aloneMessages, b.size); err != nil {
		return err
	}
	p50, p99, p999, err := b.received(aloneMessages)
	if err != nil {
		return err
	}
	fmt.Printf("  latency added, 500 a second:      p50 %v  p99 %v  p99.9 %v\n", p50.Round(time.Microsecond), p99.Round(time.Microsecond), p999.Round(time.Microsecond))
	return nil
}

// stream publishes many: what each costs each process.
func (b *bench) stream() error {
	n := b.rate * b.seconds
	var before [3]time.Duration
	parts := []*process{b.publisher, b.broker, b.receiver}
	for i, p := range parts {
		if p != nil {
			before[i] = p.cpu()
		}
	}
	if _, err := b.publisher.ask("publish t0 %d %d %d", n, b.rate, b.size); err != nil {
		return err
	}
	p50, p99, p999, err := b.received(aloneMessages + n)
	if err != nil {
		return err
	}
	fmt.Printf("  latency added, %d a second:    p50 %v  p99 %v  p99.9 %v\n", b.rate, p50.Round(time.Microsecond), p99.Round(time.Microsecond), p999.Round(time.Microsecond))
	var each [3]string
	for i, p := range parts {
		each[i] = "(in the nodes)"
		if p != nil {
			each[i] = fmt.Sprintf("%.2f µs", float64((p.cpu()-before[i]).Microseconds())/float64(n))
		}
	}
	fmt.Printf("  CPU a message:                    publisher %s  broker %s  receiver %s\n", each[0], each[1], each[2])
	return nil
}

// idle shows what a node got that wants nothing.
func (b *bench) idle() error {
	h, err := b.third.ask("health")
	if err != nil {
		return err
	}
	var health pubsub.Health
	if err := json.Unmarshal([]byte(h), &health); err != nil {
		return err
	}
	before, err := b.third.bytesRead()
	if err != nil {
		return err
	}
	if _, err := b.publisher.ask("publish t0 %d %d %d", b.rate, b.rate, b.size); err != nil {
		return err
	}
	after, err := b.third.bytesRead()
	if err != nil {
		return err
	}
	fmt.Printf("  node that wants nothing:          %d messages received; %d bytes read while %d broadcasts were published\n", health.Received, after-before, b.rate)
	return nil
}

// topics gives one node many topics, and takes the broker away for a moment.
func (b *bench) topics() error {
	heap, err := b.third.number("memory")
	if err != nil {
		return err
	}
	brokerBefore := 0
	if b.broker != nil {
		brokerBefore = b.broker.resident()
	}
	took, err := b.third.number("subscribe many: %d", b.options.topics)
	if err != nil {
		return err
	}
	after, err := b.third.number("memory")
	if err != nil {
		return err
	}
	per := func(bytes int) string { return fmt.Sprintf("%.2f KB", float64(bytes)/1024/float64(b.options.topics)) }
	fmt.Printf("  %d topics on one node:        %s of heap each, all confirmed after %v\n", b.options.topics, per(after-heap), time.Duration(took).Round(time.Millisecond))
	if b.broker == nil {
		return nil
	}
	fmt.Printf("  at the broker:                    %s resident each\n", per(b.broker.resident()-brokerBefore))
	b.broker.end()
	for { // until the node knows
		h, err := b.third.ask("health")
		if err != nil {
			return err
		}
		if strings.Contains(h, `"Connected":false`) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	p, _, err := startBroker(b.options.broker, b.port)
	if err != nil {
		return err
	}
	b.broker = p
	b.all = append(b.all, p)
	took, err = b.third.number("confirmed")
	if err != nil {
		return err
	}
	fmt.Printf("  after the broker was started anew: all interest is there again after %v\n", time.Duration(took).Round(time.Millisecond))
	return nil
}

package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// write makes the page and its pictures.
func (r *results) write(ctx context.Context, dir string) error {
	if err := r.draw(ctx, dir); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "benchmarks.md"), r.page(), 0o644)
}

func (r *results) page() []byte {
	var b bytes.Buffer
	m := &r.Machine
	fmt.Fprintf(&b, `# Benchmarks

<!-- Written by make bench. Do not edit. -->

Measured on %s with %d cores of an %s, Linux %s, %s, over the loopback interface; server and load program share the
cores. %s

Reproduce it with

    make bench            # everything, as here; nothing else should run meanwhile
    make bench-quick      # small, to see that it works

CPU is the server's own, user and system, from /proc; memory is the growth of its resident memory, after a garbage
collection. The **floor** is [the least a server can do](../measure/floor): one thread, one read and one
write for each frame, no checks; for what is queued ahead it writes all frames of a connection at once. **epoll** and
**parked** are the two [read engines](transports.md#how-a-websocket-waits) of bennu; the first is what runs on Linux
unless it is turned off or the connection is encrypted. Figures are medians%s. A ratio is that of the medians. Payloads are 100 bytes unless
it is said otherwise.

`, m.Date, m.Cores, m.Processor, m.Kernel, m.Go, runsText(r.Runs), spreadText(r.Runs))

	fmt.Fprint(&b, "## Goals\n\n")
	for _, n := range r.Sizes {
		fmt.Fprintf(&b, "### %s connections, one joined topic each\n\n", thousands(n))
		r.table(&b, tourGoals, n)
	}
	largest := r.Sizes[len(r.Sizes)-1]
	fmt.Fprintf(&b, "### %s connections at once\n\n", thousands(largest))
	r.table(&b, largestGoals, largest)
	if !r.of(polled.Name, kindSlow, perSizeSlow, slowCPU.get).none() {
		r.extras(&b)
	}
	fmt.Fprint(&b, "## Pictures\n\n![CPU of a delivery against connections](benchmarks-delivery.svg)\n\n![Memory of a joined connection against connections](benchmarks-memory.svg)\n\n")
	r.collectors(&b, largest)
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
}

func runsText(n int) string {
	if n == 1 {
		return "Each was measured once."
	}
	return fmt.Sprintf("Each was measured %d times, in turn with what it is compared to.", n)
}

func spreadText(n int) string {
	if n == 1 {
		return ""
	}
	return ", with the least and the most in brackets"
}

// table has one row for each goal.
func (r *results) table(b *bytes.Buffer, goals []goal, size int) {
	fmt.Fprint(b, "| | floor | epoll | × floor | parked | × floor | goal | met by epoll | by parked |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, g := range goals {
		var base spread
		if g.floor != "" {
			base = r.of(g.floor, g.kind, size, g.get)
		}
		fmt.Fprintf(b, "| %s | %v ", g.what, base)
		engines := []string{polled.Name, parked.Name}
		var mets [2]string
		for i, name := range engines {
			s := r.of(name, g.kind, size, g.get)
			ratio := "-"
			if !base.none() && !s.none() {
				ratio = fmt.Sprintf("%.2f", s.over(base))
			}
			fmt.Fprintf(b, "| %v | %s ", s, ratio)
			mets[i] = g.met(s, base, name, size)
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", g.text(size), mets[0], mets[1])
	}
	fmt.Fprintln(b)
}

// extras are measured at one size each.
func (r *results) extras(b *bytes.Buffer) {
	fmt.Fprint(b, "### Replies written together\n\n")
	r.table(b, deepGoals, deepSize)
	fmt.Fprint(b, "### Slow readers\n\n")
	r.table(b, slowGoals, perSizeSlow)
	r.table(b, []goal{{figure: slowOfCPU}, {figure: slowOfMB, most: 200}, {figure: slowOfClosed}, {figure: slowNoCPU}}, slowSize)
	with, without := r.of(polled.Name, kindSlowOf, slowSize, slowOfCPU.get), r.of(polled.Name, kindSlowNo, slowSize, slowNoCPU.get)
	fmt.Fprintf(b, "With 200 of 10,000 not reading, a delivery to the others costs %.2f times what it costs without them; goal ≤ 1.1. All deliveries to the others were complete and in order.\n\n", with.over(without))
	fmt.Fprint(b, "### Many topics\n\n")
	r.table(b, topicGoals, topicsSize)
	r.table(b, manyGoals, 1000)

	fmt.Fprint(b, "### Growth\n\nA delivery at the largest size, divided by one at the smallest; goal: flat.\n\n| | floor | epoll | parked |\n|---|---|---|---|\n")
	first, end := r.Sizes[0], r.Sizes[len(r.Sizes)-1]
	for _, g := range []struct {
		figure
		floor string
	}{{lone, floor.Name}, {ahead, gather.Name}} {
		fmt.Fprintf(b, "| %s |", g.what)
		for _, name := range []string{g.floor, polled.Name, parked.Name} {
			fmt.Fprintf(b, " %.2f |", r.of(name, g.kind, end, g.get).over(r.of(name, g.kind, first, g.get)))
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintln(b)
}

// collectors tells how the garbage collector did in the tours of the largest size.
func (r *results) collectors(b *bytes.Buffer, size int) {
	fmt.Fprintf(b, "## Garbage collection\n\nOver the whole tour with %s connections: connecting, echoes, broadcasts. GOGC and GOMEMLIMIT are not set.\n\n", thousands(size))
	fmt.Fprint(b, "| | epoll | parked |\n|---|---|---|\n")
	for _, f := range []struct {
		what string
		get  func(*report) float64
	}{
		{"cycles", func(r *report) float64 { return float64(r.Server.Cycles) }},
		{"CPU, of all CPU of the server, %", func(r *report) float64 { return r.Server.CPU / r.Server.TotalCPU * 100 }},
		{"CPU of a cycle, ms", func(r *report) float64 { return r.Server.CPU / float64(r.Server.Cycles) * 1000 }},
		{"pause, p50, µs", func(r *report) float64 { return r.Server.PauseP50 }},
		{"pause, p99, µs", func(r *report) float64 { return r.Server.PauseP99 }},
		{"pause, longest, µs", func(r *report) float64 { return r.Server.PauseMax }},
		{"live heap at the end, MB", func(r *report) float64 { return r.Server.HeapLive / (1 << 20) }},
	} {
		fmt.Fprintf(b, "| %s | %v | %v |\n", f.what, r.of(polled.Name, kindTour, size, f.get), r.of(parked.Name, kindTour, size, f.get))
	}
	fmt.Fprintln(b)
}

// thousands writes 19000 as 19,000.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

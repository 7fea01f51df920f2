package bench

import (
	"fmt"
	"math"
)

// figure is what a row of the table shows: of each run one number.
type figure struct {
	what string
	kind string
	get  func(*report) float64
}

var (
	idleKB      = figure{"memory of a joined connection, idle, KB", kindTour, func(r *report) float64 { return r.Memory.PerIdle / 1024 }}
	trafficKB   = figure{"the same after traffic, and with a second topic, KB", kindTour, func(r *report) float64 { return r.Memory.PerAfter / 1024 }}
	joinCPU     = figure{"connect, upgrade and join, µs", kindTour, func(r *report) float64 { return r.Connect.CPU }}
	joinSeconds = figure{"all connect at once: until all have joined, s", kindTour, func(r *report) float64 { return r.Connect.Seconds }}
	echoCPU     = figure{"echo through a typed channel, 200 × 4 outstanding, µs", kindTour, func(r *report) float64 { return cpu(r.Load) }}
	lone        = figure{"broadcast, one at a time, µs a delivery", kindTour, func(r *report) float64 { return cpu(r.Broadcast) }}
	ahead       = figure{"broadcast, 20 queued ahead, µs a delivery", kindTour, func(r *report) float64 { return cpu(r.Ahead) }}
	last        = figure{"one broadcast, until the last has it, p50, ms", kindTour, func(r *report) float64 { return lastMS(r.Broadcast) }}

	stormCPU     = figure{"all cut off at once: to connect and join again, µs", kindStorm, func(r *report) float64 { return r.Reconnect.CPU }}
	stormSeconds = figure{"the same, until all are back, s", kindStorm, func(r *report) float64 { return r.Reconnect.Seconds }}
	slowCPU      = figure{"200 subscribers of whom 20 do not read, 1 KB, 50 ahead, µs a delivery to the others", kindSlow, func(r *report) float64 { return cpu(r.Slow) }}
	slowMB       = figure{"the same, memory grown, MB", kindSlow, func(r *report) float64 { return r.Slow.Grown / (1 << 20) }}
	slowClosed   = figure{"the same, slow readers closed with 1013", kindSlow, func(r *report) float64 { return float64(r.Slow.Closed["1013"]) }}
	slowOfCPU    = figure{"10,000 subscribers of whom 200 do not read, 8 KB, 20 ahead, µs a delivery to the others", kindSlowOf, func(r *report) float64 { return cpu(r.Slow) }}
	slowOfMB     = figure{"the same, memory grown, MB", kindSlowOf, func(r *report) float64 { return r.Slow.Grown / (1 << 20) }}
	slowOfClosed = figure{"the same, slow readers closed with 1013", kindSlowOf, func(r *report) float64 { return float64(r.Slow.Closed["1013"]) }}
	slowNoCPU    = figure{"the same with everybody reading, µs a delivery", kindSlowNo, func(r *report) float64 { return cpu(r.Slow) }}
	topicKB      = figure{"1,000,000 channels, 100 on each connection, KB a channel", kindTopics, func(r *report) float64 { return r.Memory.PerTopic / 1024 }}
	deepCPU      = figure{"echo, 200 connections with 64 outstanding, so that replies are written together, µs", kindDeep, func(r *report) float64 { return cpu(r.Load) }}
	manyLone     = figure{"broadcast to 1,000 while there are 100,000 topics, one at a time, µs a delivery", kindMany, func(r *report) float64 { return cpu(r.Broadcast) }}
	manyAhead    = figure{"the same, 20 queued ahead", kindMany, func(r *report) float64 { return cpu(r.Ahead) }}
)

func cpu(o *operation) float64 {
	if o == nil {
		return math.NaN()
	}
	return o.CPU
}

func lastMS(o *operation) float64 {
	if o == nil || o.Last == nil {
		return math.NaN()
	}
	return o.Last.P50 / 1000
}

// goal is what a figure shall keep to.
type goal struct {
	figure
	floor string  // the target whose figure stands beside, or ""
	most  float64 // of the figure itself; 0 is no goal
	ratio float64 // most of the figure divided by the floor's
	// parked is the goal of the parked engine where it has one of its own.
	parked float64
	// from is the least number of connections that the goal is for: what a process takes
	// whoever comes weighs much on a few.
	from int
}

// tourGoals are shown for each size, largestGoals for the largest alone.
var (
	tourGoals = []goal{
		{figure: idleKB, floor: floor.Name, most: 3, parked: 6, from: 10_000},
		{figure: trafficKB, most: 4, parked: 6, from: 10_000},
		{figure: joinCPU, floor: floor.Name, most: 60},
		{figure: echoCPU, floor: floor.Name, ratio: 1.2},
		{figure: lone, floor: floor.Name, ratio: 1.25},
		{figure: last, floor: floor.Name, ratio: 1.3},
		{figure: ahead, floor: gather.Name, most: 1.2},
	}
	largestGoals = []goal{
		{figure: joinSeconds, floor: floor.Name, most: 1.3},
		{figure: joinCPU, floor: floor.Name, most: 65},
		{figure: stormSeconds},
		{figure: stormCPU},
	}
	deepGoals  = []goal{{figure: deepCPU, most: 3}}
	slowGoals  = []goal{{figure: slowCPU, most: 1.0}, {figure: slowMB, most: 20}, {figure: slowClosed}}
	manyGoals  = []goal{{figure: manyLone}, {figure: manyAhead, most: 1.2}}
	topicGoals = []goal{{figure: topicKB, most: 0.8}}
)

// text is the goal as the table has it.
func (g *goal) text(size int) string {
	switch {
	case size < g.from:
		return ""
	case g.ratio > 0:
		return fmt.Sprintf("≤ %v × floor", g.ratio)
	case g.most > 0 && g.parked > 0:
		return fmt.Sprintf("≤ %v; ≤ %v", g.most, g.parked)
	case g.most > 0:
		return fmt.Sprintf("≤ %v", g.most)
	}
	return ""
}

// met says whether a figure keeps to the goal, and by how much not.
func (g *goal) met(s, floor spread, engine string, size int) string {
	most := g.most
	if engine == parked.Name && g.parked > 0 {
		most = g.parked
	}
	value := s.median()
	if g.ratio > 0 {
		value, most = s.over(floor), g.ratio
	}
	switch {
	case most == 0 || math.IsNaN(value) || size < g.from:
		return ""
	case value <= most:
		return "yes"
	}
	return fmt.Sprintf("**no**: %.0f %% over", (value/most-1)*100)
}

package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bennu-go/bennu/measure/internal/chart"
	"github.com/bennu-go/bennu/measure/internal/part"
)

// line is one curve of a picture: a figure of a target at each size.
type line struct {
	name   string
	target string
	figure figure
	color  chart.Color
	dashed bool
}

var (
	gray  = chart.Color{0x80, 0x80, 0x80}
	blue  = chart.Color{0x1f, 0x5f, 0xbf}
	amber = chart.Color{0xc0, 0x6a, 0x00}
)

// picture is one of the page's.
type picture struct {
	file, title, unit string
	lines             []line
}

var pictures = []picture{
	{"benchmarks-delivery.svg", "CPU of a delivery", "µs", []line{
		{"floor, one at a time", floor.Name, lone, gray, false},
		{"epoll, one at a time", polled.Name, lone, blue, false},
		{"parked, one at a time", parked.Name, lone, amber, false},
		{"floor, 20 ahead", gather.Name, ahead, gray, true},
		{"epoll, 20 ahead", polled.Name, ahead, blue, true},
		{"parked, 20 ahead", parked.Name, ahead, amber, true},
	}},
	{"benchmarks-memory.svg", "Memory of a joined connection", "KB", []line{
		{"epoll, idle", polled.Name, idleKB, blue, false},
		{"parked, idle", parked.Name, idleKB, amber, false},
		{"epoll, after traffic", polled.Name, trafficKB, blue, true},
		{"parked, after traffic", parked.Name, trafficKB, amber, true},
		{"floor, idle", floor.Name, idleKB, gray, false},
	}},
}

// chart has the connections on its x axis.
func (r *results) chart(p *picture) *chart.Chart {
	c := &chart.Chart{Title: p.title, X: "connections", Y: p.unit, MaxX: 1.05 * float64(r.Sizes[len(r.Sizes)-1])}
	for _, l := range p.lines {
		curve := chart.Line{Name: l.name, Color: l.color, Dashed: l.dashed}
		for _, n := range r.Sizes {
			if s := r.of(l.target, l.figure.kind, n, l.figure.get); !s.none() {
				curve.Points = append(curve.Points, chart.Point{X: float64(n), Y: s.median()})
			}
		}
		if len(curve.Points) > 0 {
			c.Lines = append(c.Lines, curve)
		}
	}
	return c
}

// draw writes the pictures into a folder.
func (r *results) draw(ctx context.Context, dir string) error {
	temp, err := os.MkdirTemp("", "plot")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	plot, err := part.Build(ctx, temp, part.Measure, "./plot")
	if err != nil {
		return err
	}
	for i := range pictures {
		text, err := json.Marshal(r.chart(&pictures[i]))
		if err != nil {
			return err
		}
		c := exec.CommandContext(ctx, plot, filepath.Join(dir, pictures[i].file))
		c.Stdin = bytes.NewReader(text)
		if said, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", pictures[i].file, err, said)
		}
	}
	return nil
}

package main

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// line is one curve of a picture.
type line struct {
	name   string
	target string
	figure figure
	color  color.Color
	dashed bool
}

var (
	gray  = color.RGBA{0x80, 0x80, 0x80, 0xff}
	blue  = color.RGBA{0x1f, 0x5f, 0xbf, 0xff}
	amber = color.RGBA{0xc0, 0x6a, 0x00, 0xff}
)

func (r *results) drawDelivery(path string) error {
	return r.draw(path, "CPU of a delivery", "µs", []line{
		{"floor, one at a time", floor.Name, lone, gray, false},
		{"epoll, one at a time", polled.Name, lone, blue, false},
		{"parked, one at a time", parked.Name, lone, amber, false},
		{"floor, 20 ahead", gather.Name, ahead, gray, true},
		{"epoll, 20 ahead", polled.Name, ahead, blue, true},
		{"parked, 20 ahead", parked.Name, ahead, amber, true},
	})
}

func (r *results) drawMemory(path string) error {
	return r.draw(path, "Memory of a joined connection", "KB", []line{
		{"epoll, idle", polled.Name, idleKB, blue, false},
		{"parked, idle", parked.Name, idleKB, amber, false},
		{"epoll, after traffic", polled.Name, trafficKB, blue, true},
		{"parked, after traffic", parked.Name, trafficKB, amber, true},
		{"floor, idle", floor.Name, idleKB, gray, false},
	})
}

// draw makes an SVG with the connections on its x axis.
func (r *results) draw(path, title, unit string, lines []line) error {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text, p.Y.Label.Text = "connections", unit
	p.X.Min, p.Y.Min = 0, 0
	p.Add(plotter.NewGrid())
	// Fonts differ in width: what follows the name must not be in its way.
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(2)
	highest := 0.0
	for _, l := range lines {
		var points plotter.XYs
		for _, n := range r.Sizes {
			if s := r.of(l.target, l.figure.kind, n, l.figure.get); !s.none() {
				points = append(points, plotter.XY{X: float64(n), Y: s.median()})
				highest = max(highest, s.median())
			}
		}
		if len(points) == 0 {
			continue
		}
		curve, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		curve.Color, dots.Color = l.color, l.color
		curve.Width = vg.Points(1.5)
		if l.dashed {
			curve.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
		}
		p.Add(curve, dots)
		p.Legend.Add(l.name, curve, dots)
	}
	p.X.Max = 1.05 * float64(r.Sizes[len(r.Sizes)-1])
	p.Y.Max = 1.8 * highest // room for the legend
	return p.Save(7*vg.Inch, 4*vg.Inch, path)
}

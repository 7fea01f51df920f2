// Command plot draws a chart as SVG: its standard input is the JSON of a chart.Chart, its
// argument the file to write. It is a program of its own since the fonts of its library take
// 9 MB as soon as it starts, which no process that is measured shall have.
package main

import (
	"encoding/json"
	"fmt"
	"image/color"
	"io"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/bennu-go/bennu/measure/internal/chart"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: plot FILE.svg <CHART.json")
		os.Exit(2)
	}
	if err := draw(os.Stdin, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func draw(in io.Reader, path string) error {
	var c chart.Chart
	if err := json.NewDecoder(in).Decode(&c); err != nil {
		return err
	}
	p := plot.New()
	p.Title.Text = c.Title
	p.X.Label.Text, p.Y.Label.Text = c.X, c.Y
	p.X.Min, p.Y.Min = 0, 0
	p.Add(plotter.NewGrid())
	// Fonts differ in width: what follows the name must not be in its way.
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(2)
	highest := 0.0
	for _, l := range c.Lines {
		points := make(plotter.XYs, len(l.Points))
		for i, at := range l.Points {
			points[i] = plotter.XY{X: at.X, Y: at.Y}
			highest = max(highest, at.Y)
		}
		curve, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("%s: %w", l.Name, err)
		}
		curve.Color = color.RGBA{l.Color[0], l.Color[1], l.Color[2], 0xff}
		dots.Color = curve.Color
		curve.Width = vg.Points(1.5)
		if l.Dashed {
			curve.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
		}
		p.Add(curve, dots)
		p.Legend.Add(l.Name, curve, dots)
	}
	p.X.Max = c.MaxX
	p.Y.Max = 1.8 * highest // room for the legend
	return p.Save(7*vg.Inch, 4*vg.Inch, path)
}

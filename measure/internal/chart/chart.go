// Package chart describes a picture of curves. Program plot draws it.
package chart

// Chart is a picture of curves above a common x axis.
type Chart struct {
	Title string
	X, Y  string  // what stands at the axes
	MaxX  float64 // both axes begin at 0
	Lines []Line
}

// Line is one curve.
type Line struct {
	Name   string
	Color  Color
	Dashed bool
	Points []Point
}

// Color is red, green and blue.
type Color [3]uint8

// Point is one point of a curve.
type Point struct{ X, Y float64 }

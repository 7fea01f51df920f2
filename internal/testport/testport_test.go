package testport

import "testing"

// TestSpread keeps all blocks below the ports that a system picks from.
func TestSpread(t *testing.T) {
	for picked, want := range map[int][2]int{
		0:     {usual, most},
		1024:  {usual, most}, // there is no room below
		16000: {lowest, 325},
		32000: {usual, most},
		32768: {usual, most},
	} {
		first, number := spread(picked)
		if got := [2]int{first, number}; got != want {
			t.Errorf("ports are picked from %d on: blocks begin at %d and have %d, want %d and %d", picked, first, number, want[0], want[1])
		}
		if end := first + blocks*number; picked > usual && end > picked {
			t.Errorf("ports are picked from %d on: the blocks end at %d", picked, end)
		}
	}
}

func TestFree(t *testing.T) {
	if a, b := Free(t), Free(t); a == b {
		t.Errorf("port %d is given twice in a row", a)
	}
}

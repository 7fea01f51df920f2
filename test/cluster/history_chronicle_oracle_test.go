package cluster

import "testing"

// TestChronicle: the oracle finds what is lost, doubled or out of order.
func TestChronicle(t *testing.T) {
	t.Parallel()
	at := func(offset uint64) position { return position{"aaaaaaaa", offset} }
	n := func(n uint32) noted { return noted{1, n} }
	// sound is three messages as one client and their writer saw them, on which the rows go on.
	sound := func() *chronicle {
		c := newChronicle("log:0")
		for i := range uint32(3) {
			offset := uint64(10 * (i + 1))
			if err := c.acknowledged(at(offset), n(i+1)); err != nil {
				t.Fatal(err)
			}
			if err := c.follows(at(offset-10), at(offset), n(i+1)); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	if faults := sound().check(); len(faults) > 0 {
		t.Errorf("nothing is wrong: %q", faults)
	}
	for name, wrong := range map[string]func(c *chronicle) error{
		"lost":              func(c *chronicle) error { return c.follows(at(10), at(30), n(3)) },
		"doubled":           func(c *chronicle) error { return c.follows(at(20), at(20), n(2)) },
		"out of order":      func(c *chronicle) error { return c.follows(at(30), at(20), n(2)) },
		"stored twice":      func(c *chronicle) error { return c.follows(at(30), at(40), n(2)) },
		"another one there": func(c *chronicle) error { return c.follows(at(10), at(20), n(7)) },
		"another epoch":     func(c *chronicle) error { return c.follows(at(30), position{"bbbbbbbb", 10}, n(4)) },
		"two places":        func(c *chronicle) error { return c.acknowledged(at(40), n(3)) },
	} {
		if wrong(sound()) == nil {
			t.Errorf("%s: not found", name)
		}
	}
	for name, wrong := range map[string]func(c *chronicle) error{
		"never acknowledged":  func(c *chronicle) error { return c.follows(at(30), at(40), n(4)) },
		"a number is missing": func(c *chronicle) error { return c.acknowledged(at(40), n(5)) },
		"lost by all":         func(c *chronicle) error { c.next = map[position]position{at(10): at(30)}; return nil },
		"lost what is kept": func(c *chronicle) error {
			if c.keeps = 3; !c.skip(at(10), at(30)) {
				return errUnsound
			}
			return nil
		},
		"several epochs": func(c *chronicle) error { return c.acknowledged(position{"bbbbbbbb", 10}, n(4)) },
	} {
		c := sound()
		if err := wrong(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(c.check()) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}

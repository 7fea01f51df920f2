// Package option resolves the limits in option structs: zero is the default, Unlimited, where it
// is allowed, none, and what is out of bounds an error that says what to write instead.
package option

import (
	"fmt"
	"math"
	"time"
)

const (
	// Unlimited is what takes a limit away.
	Unlimited = -1
	// MaxDuration is the longest time that an option may ask for: a year, so that no
	// deadline overflows, nor a few times the option.
	MaxDuration = 365 * 24 * time.Hour
	// MaxCount is the largest number, of bytes or of anything else, that an option may
	// ask for. A few times as many still fit an int of 64 bits.
	MaxCount = 1 << 30
	// Forever is the time that Unlimited stands for.
	Forever = time.Duration(math.MaxInt64)
	// None is the number that Unlimited stands for.
	None = math.MaxInt
)

// Checker resolves the options of one struct. The zero Checker is ready.
type Checker struct {
	// Of is what the errors begin with, such as "websocket: option ".
	Of string
	// Err says what is wrong with the first option that is.
	Err error
}

// Count resolves a number. Unlimited is None.
func (c *Checker) Count(name string, v, def, most int) int {
	return resolve(c, name, v, def, most, None)
}

// Duration resolves a time. Unlimited is Forever.
func (c *Checker) Duration(name string, v, def, most time.Duration) time.Duration {
	return resolve(c, name, v, def, most, Forever)
}

// Finite resolves a time that must have an end.
func (c *Checker) Finite(name string, v, def, most time.Duration) time.Duration {
	switch {
	case v == 0:
		return def
	case v < 0:
		c.fail("%s%s is %v; use 0 for the default of %v, or up to %v", c.Of, name, v, def, most)
	case v > most:
		c.fail("%s%s is %v; use up to %v", c.Of, name, v, most)
	}
	return v
}

func resolve[T int | time.Duration](c *Checker, name string, v, def, most, none T) T {
	switch {
	case v == 0:
		return def
	case v == Unlimited:
		return none
	case v < 0:
		c.fail("%s%s is %v; use 0 for the default or Unlimited", c.Of, name, v)
	case v > most:
		c.fail("%s%s is %v; use up to %v, or Unlimited", c.Of, name, v, most)
	}
	return v
}

func (c *Checker) fail(format string, args ...any) {
	if c.Err == nil {
		c.Err = fmt.Errorf(format, args...)
	}
}

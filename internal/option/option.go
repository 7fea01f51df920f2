// Package option resolves limits in option structs. Zero is the default, and Unlimited, where it is
// allowed, no limit. A value out of bounds is an error that says what to write instead.
package option

import (
	"fmt"
	"math"
	"time"
)

const (
	// Unlimited is the value that switches a limit off.
	Unlimited = -1
	// MaxDuration is the longest time of an option: a year, so that no deadline overflows, nor a
	// few times the option.
	MaxDuration = 365 * 24 * time.Hour
	// MaxCount is the largest number of an option, of bytes or of anything else. A few times as
	// many fit an int of 64 bits.
	MaxCount = 1 << 30
	// Forever is the result of Duration for Unlimited.
	Forever = time.Duration(math.MaxInt64)
	// None is the result of Count for Unlimited.
	None = math.MaxInt
)

// Checker resolves the options of one struct. The zero Checker is ready.
type Checker struct {
	// Of begins the text of errors, such as "websocket: option ".
	Of string
	// Err is the error about the first option that is out of bounds.
	Err error
}

// Count resolves a number. For Unlimited it returns None.
func (c *Checker) Count(name string, v, def, most int) int {
	return resolve(c, name, v, def, most, None)
}

// Duration resolves a time. For Unlimited it returns Forever.
func (c *Checker) Duration(name string, v, def, most time.Duration) time.Duration {
	return resolve(c, name, v, def, most, Forever)
}

// Finite resolves a time that must not be Unlimited.
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

package option_test

import (
	"math"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/option"
)

func TestChecker(t *testing.T) {
	count := func(v int) func(*option.Checker) int64 {
		return func(c *option.Checker) int64 { return int64(c.Count("Size", v, 7, 100)) }
	}
	duration := func(v time.Duration) func(*option.Checker) int64 {
		return func(c *option.Checker) int64 { return int64(c.Duration("Time", v, time.Second, time.Hour)) }
	}
	finite := func(v time.Duration) func(*option.Checker) int64 {
		return func(c *option.Checker) int64 { return int64(c.Finite("Wait", v, time.Second, time.Hour)) }
	}
	for _, tc := range []struct {
		name string
		ask  func(*option.Checker) int64
		want int64
		err  string
	}{
		{"default", count(0), 7, ""},
		{"one", count(1), 1, ""},
		{"most", count(100), 100, ""},
		{"unlimited", count(option.Unlimited), math.MaxInt, ""},
		{"negative", count(-2), 0, "p: option Size is -2; use 0 for the default or Unlimited"},
		{"one too many", count(101), 0, "p: option Size is 101; use up to 100, or Unlimited"},
		{"largest", count(math.MaxInt), 0, "p: option Size is 9223372036854775807; use up to 100, or Unlimited"},
		{"default time", duration(0), int64(time.Second), ""},
		{"longest time", duration(time.Hour), int64(time.Hour), ""},
		{"unlimited time", duration(option.Unlimited), math.MaxInt64, ""},
		{"negative time", duration(-time.Second), 0, "p: option Time is -1s; use 0 for the default or Unlimited"},
		{"too long", duration(time.Hour + 1), 0, "p: option Time is 1h0m0.000000001s; use up to 1h0m0s, or Unlimited"},
		{"for ever", duration(math.MaxInt64), 0, "p: option Time is 2562047h47m16.854775807s; use up to 1h0m0s, or Unlimited"},
		{"default wait", finite(0), int64(time.Second), ""},
		{"longest wait", finite(time.Hour), int64(time.Hour), ""},
		{"unlimited wait", finite(option.Unlimited), 0, "p: option Wait is -1ns; use 0 for the default of 1s, or up to 1h0m0s"},
		{"too long a wait", finite(math.MaxInt64), 0, "p: option Wait is 2562047h47m16.854775807s; use up to 1h0m0s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &option.Checker{Of: "p: option "}
			got := tc.ask(c)
			if c.Err == nil && (tc.err != "" || got != tc.want) {
				t.Errorf("got %d, want %d, error %q", got, tc.want, tc.err)
			}
			if c.Err != nil && c.Err.Error() != tc.err {
				t.Errorf("error %q, want %q", c.Err, tc.err)
			}
		})
	}
}

func TestCheckerKeepsTheFirstError(t *testing.T) {
	c := &option.Checker{Of: "p: "}
	c.Count("A", -5, 1, 2)
	c.Finite("B", -5, 1, 2)
	if want := "p: A is -5; use 0 for the default or Unlimited"; c.Err == nil || c.Err.Error() != want {
		t.Errorf("error %v", c.Err)
	}
}

package conformance

import (
	"errors"
	"fmt"
)

// A Failure is the error of [Run] for a server that departs from a case, and for a case that
// cannot be run.
type Failure struct {
	Case string // its ID
	Step int    // from 1
	Verb string // of the step
	// If the step compares, Got is what came and Want what the case says: JSON, text, or the
	// description of a frame, each cut to 16 KiB.
	Got, Want string
	Err       error
}

// Error names the case and the step.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s: step %d, %s: %v", f.Case, f.Step, f.Verb, f.Err)
}

// Unwrap returns Err.
func (f *Failure) Unwrap() error { return f.Err }

// A difference is an error that says what came, and what should have.
type difference struct {
	text      string
	got, want string
}

func (d *difference) Error() string { return d.text }

// differ makes a difference with a text.
func differ(got, want, format string, args ...any) error {
	const most = 16 << 10
	return &difference{fmt.Sprintf(format, args...), got[:min(len(got), most)], want[:min(len(want), most)]}
}

func differStatus(got, want int, body []byte) error {
	return differ(fmt.Sprintf("status %d", got), fmt.Sprintf("status %d", want), "got status %d, want %d: %s", got, want, quote(body))
}

// wanted adds to an error what the frame that did not come should have been.
func wanted(err error, want, format string, args ...any) error {
	text := err.Error() + fmt.Sprintf(format, args...)
	var d *difference
	if errors.As(err, &d) {
		return differ(d.got, want, "%s", text)
	}
	return errors.New(text)
}

// fail makes the failure of a step.
func fail(c *Case, step int, err error) *Failure {
	f := &Failure{Case: c.ID, Step: step, Verb: c.Steps[step-1].Verb, Err: err}
	var d *difference
	if errors.As(err, &d) {
		f.Got, f.Want = d.got, d.want
	}
	return f
}

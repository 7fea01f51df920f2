package presence

import "testing"

// TestFormerName takes the times under the former name of Timing, and Timing where both are set.
func TestFormerName(t *testing.T) {
	o := Options[struct{}]{Tracker: Fast()}
	if got := o.tracker().DownPeriod; got != Fast().DownPeriod {
		t.Errorf("the former name is not taken: DownPeriod is %v", got)
	}
	o.Timing = Timing{DownPeriod: 2 * Fast().DownPeriod}
	if got := o.tracker().DownPeriod; got != o.Timing.DownPeriod {
		t.Errorf("Timing does not win: DownPeriod is %v", got)
	}
}

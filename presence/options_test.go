package presence

import "testing"

// TestFormerName sets the times under the former name of Timing. If both are set, Timing is used.
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

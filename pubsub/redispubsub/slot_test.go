package redispubsub

import "testing"

// The wanted slots are the answers of CLUSTER KEYSLOT.
func TestSlot(t *testing.T) {
	for name, want := range map[string]int{"": 0, "123456789": 0x31C3, "foo": 12182, "bar": 5061} {
		if got := slotOf(name); got != want {
			t.Errorf("slot of %q is %d, want %d", name, got, want)
		}
	}
}

func TestProbeChannel(t *testing.T) {
	for _, slot := range []int{0, 1, 8000, slotCount - 1} {
		name, ok := probeChannel("bennu", "a", func(s int) bool { return s == slot })
		if !ok || slotOf(name) != slot {
			t.Errorf("%q is in slot %d, want %d", name, slotOf(name), slot)
		}
	}
	if _, ok := probeChannel("bennu", "a", func(int) bool { return false }); ok {
		t.Error("a channel was found where there is none")
	}
}

package redisconn

import "testing"

// The wanted slots are the answers of CLUSTER KEYSLOT.
func TestSlot(t *testing.T) {
	for name, want := range map[string]int{"": 0, "123456789": 0x31C3, "foo": 12182, "bar": 5061} {
		if got := Slot(name); got != want {
			t.Errorf("slot of %q is %d, want %d", name, got, want)
		}
	}
}

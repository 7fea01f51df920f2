package historytest

import (
	"testing"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/waittest"
)

// Harness describes the store of one check to the suite. Open is required.
type Harness struct {
	// Open returns a store, as one node has it. All stores of one Harness have the same logs, and
	// none of another Harness. They may be the same store. The suite closes them.
	Open func(t testing.TB) history.Store
	// Cut ends the connections of all stores at this moment, so that answers which are under way
	// are lost. The stores must connect again by themselves. Default nil: lost answers are not
	// checked.
	Cut func()
	// KeysPass makes the store forget all keys, as if KeyTime had passed. Default nil: that keys
	// are forgotten is not checked.
	KeysPass func(t testing.TB)
	// MaxPayload is the size of a payload that must be stored, and TooLarge the size of one that
	// must be refused with history.ErrTooLarge, in bytes. Defaults 512 KiB, and 0: not checked.
	MaxPayload, TooLarge int
	// Appends is the number of entries that each check of "race" appends. Lower it for a slow
	// store. Default 4,000, and 1,000,000 with the environment variable BENNU_FULL=1.
	Appends int
}

// Run tests a store. It calls newHarness once for each check, with the subtest, whose Cleanup may stop
// the server. The checks run one after the other, so several Harnesses may share a server if each has names of
// its own there, such as a prefix.
func Run(t *testing.T, newHarness func(t testing.TB) *Harness) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(t, newHarness) })
	}
}

// check is one check of the suite. Its name is that of the subtest.
type check struct {
	name string
	body func(s *suite)
}

// checks are those of the suite, in the order in which they run: the simple ones first.
var checks = []check{
	// What Append stores, under which place, and who sees it.
	{"append/places", appendPlaces},
	{"append/fields", appendFields},
	{"append/payloads", appendPayloads},
	{"append/topics", appendTopics},
	{"append/nodes", appendNodes},
	// What was appended before is not appended again, whether its number or its key tells.
	{"once/numbers", onceNumbers},
	{"once/late numbers", onceLateNumbers},
	{"once/keys", onceKeys},
	{"once/odd keys", onceOddKeys},
	{"once/keys at once", onceKeysAtOnce},
	{"once/forgotten keys", onceForgottenKeys},
	// After, by which programs compare and set.
	{"after/heads", afterHeads},
	{"after/keys", afterKeys},
	{"after/numbers", afterNumbers},
	{"after/at once", afterAtOnce},
	// An entry beyond the bounds of the store.
	{"too large/refused", tooLarge},
	// What Read returns, and which places it knows.
	{"read/pages", readPages},
	{"read/bytes", readBytes},
	{"read/newest", readNewest},
	{"read/positions", readPositions},
	// What is kept. The suite looks at what Read returns, and not at when entries are removed.
	{"trim/size", trimSize},
	{"trim/bytes", trimBytes},
	{"trim/age", trimAge},
	{"trim/last value", trimLastValue},
	// Heads, by which nodes find out that they have missed an entry.
	{"heads/many", headsOfMany},
	// Epochs, which begin anew when a log has lost entries, or is erased.
	{"rotate/epochs", rotateEpochs},
	{"rotate/at once", rotateAtOnce},
	{"rotate/begins", rotateBegins},
	// Many nodes at once. These two take the longest.
	{"race/writers", raceWriters},
	{"race/trimming", raceTrimming},
	// Contexts that end, connections that are cut, and the end of the store.
	{"faults/contexts", faultContexts},
	{"faults/lost answers", faultLostAnswers},
	{"close/refused", closeRefused},
}

// run runs the check with a new Harness.
func (c *check) run(t testing.TB, newHarness func(t testing.TB) *Harness) {
	h := *newHarness(t)
	if h.MaxPayload == 0 {
		h.MaxPayload = 512 << 10
	}
	if h.Appends == 0 {
		h.Appends = waittest.Sized(4_000, 1_000_000)
	}
	c.body(&suite{TB: t, Harness: &h})
}

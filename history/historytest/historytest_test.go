package historytest_test

import (
	"slices"
	"testing"

	"github.com/bennu-go/bennu/history/historytest"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) { waittest.Main(m) }

// A right store passes.
func TestRun(t *testing.T) { historytest.Run(t, harness("")) }

// faults are what each check must find.
var faults = []struct {
	check  string
	faults []string
}{
	{"append/places", []string{"epoch has capitals", "no Prev"}},
	{"append/fields", []string{"no From", "no Time"}},
	{"append/payloads", []string{"payloads are text"}},
	{"append/topics", []string{"topics fold", "topics are cut", "keys of all topics"}},
	{"append/nodes", []string{"another node is late"}},
	{"once/numbers", []string{"no numbers", "Doubled is not set"}},
	{"once/late numbers", []string{"late numbers are taken", "no numbers"}},
	{"once/keys", []string{"no keys", "keys of all topics"}},
	{"once/odd keys", []string{"keys are trimmed", "keys are cut"}},
	{"once/keys at once", []string{"keys are not atomic"}},
	{"once/forgotten keys", []string{"keys forever"}},
	{"after/heads", []string{"After is ignored", "After without epoch", "a conflict without head"}},
	{"after/keys", []string{"conflict before key"}},
	{"after/numbers", []string{"conflict before number"}},
	{"after/at once", []string{"After is not atomic"}},
	{"too large/refused", []string{"takes all sizes", "a refused entry takes its number"}},
	{"read/pages", []string{"More is not set", "a page of one too many"}},
	{"read/bytes", []string{"bytes of a page are ignored", "a page may be empty"}},
	{"read/newest", []string{"Before is ignored", "the newest come first"}},
	{"read/positions", []string{"all below the head are known", "the future is known"}},
	{"trim/size", []string{"one entry too many", "trims too early", "0 is known", "all below the head are known"}},
	{"trim/bytes", []string{"Bytes are ignored"}},
	{"trim/age", []string{"0 is known", "all below the head are known"}},
	{"trim/last value", []string{"one entry too many", "0 is known"}},
	{"heads/many", []string{"heads of some are left out", "heads are sorted"}},
	{"rotate/epochs", []string{"any epoch is rotated", "the epoch stays", "entries stay"}},
	{"rotate/at once", []string{"any epoch is rotated", "the epoch stays"}},
	{"rotate/begins", []string{"any epoch is rotated", "no log is begun"}},
	{"race/writers", []string{"Append is not atomic", "Read is not of one moment"}},
	{"race/trimming", []string{"Append is not atomic", "Read is not of one moment"}},
	{"faults/contexts", []string{"unavailable though stored", "no numbers"}},
	{"faults/lost answers", []string{"unavailable though stored", "no numbers"}},
	{"close/refused", []string{"goes on after Close"}},
}

// Every check finds stores that are wrong in its matter.
func TestWrongStores(t *testing.T) {
	t.Parallel()
	var names []string
	for _, c := range faults {
		names = append(names, c.check)
		for _, wrong := range c.faults {
			t.Run(c.check+"/"+wrong, func(t *testing.T) {
				t.Parallel()
				failures := historytest.Check(t, c.check, harness(wrong))
				if len(failures) == 0 {
					t.Fatalf("%s passes a store that is wrong: %s", c.check, wrong)
				}
				t.Logf("%s", failures[0])
			})
		}
	}
	if !slices.Equal(names, historytest.Names()) {
		t.Errorf("the checks are %q, and there are faults for %q", historytest.Names(), names)
	}
}

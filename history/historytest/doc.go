// Package historytest has the test suite that every history.Store must pass. One function runs it:
//
//	func TestStore(t *testing.T) {
//		historytest.Run(t, func(t testing.TB) *historytest.Harness {
//			broker := startBroker(t)
//			return &historytest.Harness{
//				Open: func(t testing.TB) history.Store { return open(t, broker) },
//				Cut:  broker.CutConnections,
//			}
//		})
//	}
//
// A failure quotes the law that the store has broken; the laws are documented at history.Store. The
// suite waits for events with a deadline, and does not test how long they take. Run it with the race
// detector and with a real server, and set Cut and TooLarge if you can. A check that the Harness cannot
// make is skipped, with the reason.
//
// # The Harness
//
// Each check gets a Harness of its own, with an empty store, so checks do not disturb each other. Open is
// called several times in a check that has several nodes. Cut closes connections without the knowledge of
// the store, for instance in a proxy in between; a store in the memory of one process has none. For
// KeysPass, change the clock of the store, or remove what it keeps of keys.
//
// # The checks
//
// These are the names of the checks, for go test -run Store/NAME:
//
//	append: places, fields, payloads, topics, nodes
//	once: numbers, late numbers, keys, odd keys, keys at once, forgotten keys
//	after: heads, keys, numbers, at once
//	too large: refused
//	read: pages, bytes, newest, positions
//	trim: size, bytes, age, last value
//	heads: many
//	rotate: epochs, at once, begins
//	race: writers, trimming
//	faults: contexts, lost answers
//	close: refused
//
// A name has a slash in between, such as "once/keys". In go test -run, blanks are underscores. With the
// environment variable BENNU_FULL=1 the checks of "race" append a million entries. Later versions of
// bennu may add checks.
package historytest

package tracker

// A defect breaks one rule on purpose, to prove that the tests that simulate clusters find it. Only tests
// set one; the zero value breaks none.
type defect int

const (
	sound                 defect = iota
	gapsAccepted                 // a delta is merged though changes before it are missing
	removalsWithoutNumber        // a removal has no number, so others do not notice that they miss it
	unlistedKept                 // entries that a full state does not list are kept
	partTakenForAll              // the first part of a full state counts as all of it
	historyWithoutStart          // a delta ignores that older removals were forgotten
	deadAccepted                 // a lower incarnation replaces a higher one
	hearsayTaken                 // a replica that only others list becomes a peer
	silenceIgnored               // no replica ever counts as down
	needIgnored                  // an idle replica is silent even if a peer needs its heartbeat
	leavesUntold                 // the leaves of a replica that goes down are not in the diff
	supersededStays              // a superseded replica does not take a higher incarnation
	risesMeet                    // two replicas that rise above one incarnation take the same
)

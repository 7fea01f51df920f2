package tracker

// A defect breaks one rule on purpose, in tests alone, to prove that the simulation notices.
// The zero value, the only one that newState sets, breaks none.
type defect int

const (
	sound                 defect = iota
	gapsAccepted                 // a delta is merged though changes before it are missing
	removalsWithoutNumber        // a removal has no number, so others do not notice that they miss it
	unlistedKept                 // entries that a full state does not list are kept
	partTakenForAll              // the first part of a full state counts as all of it
	historyWithoutStart          // a delta ignores that older removals were forgotten
	deadAccepted                 // a lower incarnation replaces a higher one
	hearsayTaken                 // replicas are known because others list them
	silenceIgnored               // no replica ever counts as down
	needIgnored                  // an idle replica is silent whoever needs its heartbeat
	leavesUntold                 // a replica that goes down is not in the diff
	supersededStays              // a superseded replica takes no higher incarnation
	risesMeet                    // two that rise above one incarnation take the same
)

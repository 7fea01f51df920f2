package tracker

// A defect breaks one rule on purpose, in tests alone: a simulation that does not
// notice would prove nothing. The zero value, which is all that NewState makes, breaks none.
type defect int

const (
	sound                 defect = iota
	gapsAccepted                 // a delta is merged though what comes before it is missing
	removalsWithoutNumber        // a removal is not a change that others could miss
	unlistedKept                 // what a full state does not list is kept
	partTakenForAll              // the first part of a full state counts as all of it
	historyWithoutStart          // removals that were forgotten count as none
	deadAccepted                 // a lower incarnation replaces a higher one
	hearsayTaken                 // replicas are known because others list them
	silenceIgnored               // no replica ever counts as down
	needIgnored                  // an idle replica is silent whoever needs its heartbeat
	leavesUntold                 // a replica that goes down is not in the diff
	supersededStays              // a replica that is superseded takes no higher incarnation
	risesMeet                    // two that rise above one incarnation take the same
)

package presence

// Stats are sizes, and counters since the start.
type Stats struct {
	// Entries and Topics are the present numbers, on all nodes.
	Entries, Topics int
	// Nodes are the other nodes, in the order of their names.
	Nodes []Node

	// SentBytes counts the bytes of messages to other nodes.
	SentBytes uint64
	// Gaps counts messages of other nodes with changes that could not be applied because
	// earlier changes were missing. Requests counts the requests for missing changes, and
	// Answers the answers to those of other nodes.
	Gaps, Requests, Answers uint64
	// Refused counts messages of other nodes that were dropped: they did not decode, came
	// from a node that has ended, had more entries than Limits.NodeEntries, or were too many.
	Refused uint64
}

// Node is another node as this one sees it.
type Node struct {
	Name    string
	Up      bool // false while its entries are hidden, as it has been silent for a DownPeriod
	Entries int  // hidden ones included
	Behind  bool // it is known to have changes that have not arrived
}

// Stats returns the stats of the presence.
func (p *Presence[Meta]) Stats() Stats {
	t := p.core.tracker
	s := t.Stats()
	stats := Stats{
		Entries: s.Entries, Topics: s.Topics, SentBytes: s.SentBytes,
		Gaps: s.Gaps, Requests: s.Requests, Answers: s.Answers, Refused: s.Refused,
	}
	for _, n := range t.Nodes() {
		stats.Nodes = append(stats.Nodes, Node(n))
	}
	return stats
}

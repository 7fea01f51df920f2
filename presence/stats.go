package presence

// Stats has the sizes of a presence, and counters since its start.
type Stats struct {
	// Entries and Topics are the current numbers, on all nodes.
	Entries, Topics int
	// Nodes are the other nodes, in the order of their names.
	Nodes []Node

	// SentBytes counts the bytes of messages to other nodes.
	SentBytes uint64
	// Gaps counts messages of other nodes with changes that could not be applied because
	// earlier changes were missing. Requests counts the requests for missing changes, and
	// Answers the answers to requests of other nodes.
	Gaps, Requests, Answers uint64
	// Refused counts messages of other nodes that were dropped, because they did not decode,
	// came from a node that has ended, had more entries than Limits.NodeEntries, or were too
	// many.
	Refused uint64
}

// Node is the state of another node as this one sees it.
type Node struct {
	Name    string
	Up      bool // false if it has been silent for a DownPeriod; its entries are then not in lists
	Entries int  // also while it is not up
	Behind  bool // this node lacks changes that the other has made
}

// Stats returns the current stats. They are collected shard by shard, not at one moment.
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

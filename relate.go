package bennu

import (
	"fmt"
	"math"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/seam"
)

// margin is the number of bytes by which the frame of a broadcast may be larger than the message of
// the client whose payload it repeats.
const margin = 1 << 10

// bounds returns the bounds of one kind of all transports in a mount that have it.
func bounds(list []*listedTransport, of func(*seam.Bounds) *seam.Bound) (all []*seam.Bound) {
	for _, t := range list {
		if b := of(&t.traits.Bounds); b.Option != "" {
			all = append(all, b)
		}
	}
	return all
}

// relateBounds makes the bounds of a mount's transports fit each other: every client must be able
// to receive what any client may send. Bounds that are not set get values that fit the others. Two
// bounds that are set and do not fit are an error.
func relateBounds(list []*listedTransport) error {
	in := bounds(list, func(b *seam.Bounds) *seam.Bound { return &b.Message })
	out := bounds(list, func(b *seam.Bounds) *seam.Bound { return &b.QueueBytes })
	largest := 0
	for _, m := range in {
		if m.Value > math.MaxInt-margin {
			return nil // out of range; its transport returns the error
		}
		largest = max(largest, m.Value)
		for _, q := range out {
			switch {
			case q.Value <= 0 || m.Value == 0:
			case m.Value == Unlimited:
				return fmt.Errorf("option %s is Unlimited, and %s is %d, so a message of one client may not fit the queue of another; give %s a number, or make %s Unlimited too",
					m.Option, q.Option, q.Value, m.Option, q.Option)
			case q.Value < m.Value+margin:
				return fmt.Errorf("option %s is %d, and a client may send %d bytes (%s), which would not fit the queue together with topic and event; set %s to %d or more, or %s to %d or less",
					q.Option, q.Value, m.Value, m.Option, q.Option, m.Value+margin, m.Option, max(1, q.Value-margin))
			}
		}
	}
	// Queues that are not set are at least as large as the largest message; then messages that are
	// not set are at most as large as the smallest queue.
	least := math.MaxInt
	for _, q := range out {
		if q.Value == 0 {
			q.Value = min(max(q.Default, largest+margin), option.MaxCount)
		}
		if q.Value > 0 {
			least = min(least, q.Value)
		}
	}
	for _, m := range in {
		if m.Value == 0 {
			m.Value = min(m.Default, max(least-margin, least/2))
		}
	}
	return nil
}

// relate makes the limits on rates and that on topics fit each other: a client joins all its topics
// again after a reconnect, and must not be refused or closed for that.
func (l *Limits) relate() error {
	const seconds = int(throttlePatience / time.Second) // for which a client may exceed MessageRate
	switch {
	case l.MessageRate <= 0 || l.MessageRate > math.MaxInt/seconds:
	case l.Topics == 0:
		l.Topics = min(defaultTopics, seconds*l.MessageRate)
	case l.Topics > seconds*l.MessageRate:
		return fmt.Errorf("Limits.Topics is %d, and a client that joins them all again would be closed for more than %d messages a second; set Limits.MessageRate to %d or more, or Limits.Topics to %d or less",
			l.Topics, l.MessageRate, (l.Topics+seconds-1)/seconds, seconds*l.MessageRate)
	}
	if l.JoinBurst == 0 && l.Topics > defaultJoinBurst {
		l.JoinBurst = l.Topics
	}
	return nil
}

// relateQueues makes the limit on topics, which is resolved already, fit the number of messages
// that may wait for a client. After a gap, and when the authentication expires, each channel of a
// connection sends a message at once, and a join that replaces another sends two, or three if its
// topic has a history. given says that the program has set the limit on topics, and kept that topics
// may have a history.
func (l *Limits) relateQueues(given, kept bool, list []*listedTransport) error {
	out := bounds(list, func(b *seam.Bounds) *seam.Bound { return &b.QueueMessages })
	for _, q := range out {
		switch n := q.Value; {
		case n <= 0:
		case n < 2:
			return fmt.Errorf("option %s is %d, and a join that replaces another has two messages for its client; set it to 2 or more", q.Option, n)
		case kept && n < 3:
			return fmt.Errorf("option %s is %d, and on a topic that has a history a join that replaces another has three messages for its client; set it to 3 or more", q.Option, n)
		case !given:
			l.Topics = min(l.Topics, n/2)
		case l.Topics != math.MaxInt && l.Topics > n/2:
			return fmt.Errorf("option %s is %d, and Limits.Topics is %d: when all channels of a connection have something for their client at once, it would be closed; set %s to %d or more, or Limits.Topics to %d or less",
				q.Option, n, l.Topics, q.Option, min(2*l.Topics, option.MaxCount), n/2)
		}
	}
	for _, q := range out {
		if q.Value == 0 && l.Topics <= option.MaxCount/2 {
			q.Value = max(q.Default, 2*l.Topics)
		}
	}
	return nil
}

package bennu

import (
	"fmt"
	"math"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// margin is how much larger than a client's message a frame may be that hands on its payload.
const margin = 1 << 10

// maxRelayed is well within what long polling passes from one node to another at once.
const maxRelayed = 96 << 20

// related is an option that relateLimits looks at.
type related struct {
	name  string
	value *int
	def   int
}

// relateLimits makes the limits of a mount fit each other: what one client may send, every
// client must be able to get. Those that are left out are set to fit the others; two that are
// given and do not fit are an error. The polls are nil without long polling; nodes says that
// there are others.
func relateLimits(o *SocketOptions, polls *longpoll.Options, nodes bool) error {
	var in, out []related
	if !o.NoWebSocket {
		in = append(in, related{"WebSocket.MaxMessage", &o.WebSocket.MaxMessage, websocket.DefaultMaxMessage})
		out = append(out, related{"WebSocket.MaxQueueBytes", &o.WebSocket.MaxQueueBytes, websocket.DefaultMaxQueueBytes})
	}
	if polls != nil {
		in = append(in, related{"LongPoll.MaxBody", &polls.MaxBody, longpoll.DefaultMaxBody})
		out = append(out, related{"LongPoll.MaxBufferBytes", &polls.MaxBufferBytes, longpoll.DefaultMaxBufferBytes})
	}
	largest := 0
	for _, m := range in {
		if *m.value > math.MaxInt-margin {
			return nil // no sensible number, which its transport refuses
		}
		largest = max(largest, *m.value)
		for _, q := range out {
			switch {
			case *q.value <= 0 || *m.value == 0:
			case *m.value == Unlimited:
				return fmt.Errorf("option %s is Unlimited, and %s is %d, so that what a client sends may never fit in; give %s a number, or make %s Unlimited too",
					m.name, q.name, *q.value, m.name, q.name)
			case *q.value < *m.value+margin:
				return fmt.Errorf("option %s is %d, and a client may send %d bytes (%s), which would not fit in with topic and event; set %s to %d or more, or %s to %d or less",
					q.name, *q.value, *m.value, m.name, q.name, *m.value+margin, m.name, max(1, *q.value-margin))
			}
		}
	}
	if polls != nil && nodes && max(polls.MaxBody, polls.MaxBufferBytes) > maxRelayed {
		return fmt.Errorf("option LongPoll.MaxBody is %d, and LongPoll.MaxBufferBytes %d; no more than %d bytes at once go from one node to another: lower them",
			polls.MaxBody, polls.MaxBufferBytes, maxRelayed)
	}
	least := math.MaxInt
	for _, q := range out {
		if *q.value == 0 {
			*q.value = min(max(q.def, largest+margin), option.MaxCount)
		}
		if *q.value > 0 {
			least = min(least, *q.value)
		}
	}
	for _, m := range in {
		if *m.value == 0 {
			*m.value = min(m.def, max(least-margin, least/2))
		}
	}
	return nil
}

// relate makes the limits on rates fit that on topics: a client joins all its topics again after a
// reconnect, and must not be refused or closed for that.
func (l *Limits) relate() error {
	const seconds = int(throttlePatience / time.Second) // in which a client may press against MessageRate
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

// relateQueues makes the limit on topics, which is resolved, fit the messages that may wait for a
// client: after a gap, and when its authentication expires, each channel of a connection has one
// for it at once, and a join that replaces another has two. Given says that the program has set
// the limit on topics.
func (l *Limits) relateQueues(given bool, o *SocketOptions, polls *longpoll.Options) error {
	var out []related
	if !o.NoWebSocket {
		out = append(out, related{"WebSocket.MaxQueueMessages", &o.WebSocket.MaxQueueMessages, websocket.DefaultMaxQueueMessages})
	}
	if polls != nil {
		out = append(out, related{"LongPoll.MaxBufferMessages", &polls.MaxBufferMessages, longpoll.DefaultMaxBufferMessages})
	}
	for _, q := range out {
		switch n := *q.value; {
		case n <= 0:
		case n < 2:
			return fmt.Errorf("option %s is %d, and a join that replaces another has two messages for its client; set it to 2 or more", q.name, n)
		case !given:
			l.Topics = min(l.Topics, n/2)
		case l.Topics != math.MaxInt && l.Topics > n/2:
			return fmt.Errorf("option %s is %d, and Limits.Topics is %d: when all channels of a connection have something for their client at once, it would be closed; set %s to %d or more, or Limits.Topics to %d or less",
				q.name, n, l.Topics, q.name, min(2*l.Topics, option.MaxCount), n/2)
		}
	}
	for _, q := range out {
		if *q.value == 0 && l.Topics <= option.MaxCount/2 {
			*q.value = max(q.def, 2*l.Topics)
		}
	}
	return nil
}

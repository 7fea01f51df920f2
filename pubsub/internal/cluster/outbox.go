package cluster

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// outbox is what waits for the broker. Its lock also makes the order of numbers that of
// sending.
type outbox struct {
	mu      sync.Mutex
	queue   []Outgoing
	bytes   int    // of the queue, and of what the sender has taken out of it
	direct  int    // the same of messages to one node
	most    int    // for each of them
	inboxes string // the channels of nodes begin with it
	streams streams
	closed  bool
	lost    int64
	sent    int64
	serial  uint64        // counts messages
	number  uint64        // counts what nodes say to each other
	marks   [2]mark       // the last two beats
	stopped error         // what push returns when closed
	news    chan struct{} // the queue is not empty
}

// mark is how far serial was at a time.
type mark struct {
	serial uint64
	at     time.Time
}

// beat notes how far serial is.
func (o *outbox) beat() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.marks[0], o.marks[1] = o.marks[1], mark{o.serial, time.Now()}
}

// maxSpare bounds the list that is kept for the next batch.
const maxSpare = 4096

// overheadBytes is what a message costs beside its bytes.
const overheadBytes = 128

// push numbers and encodes a message and puts it in. One that has no place has its
// number all the same: those who miss it shall know. But messages to one node are bounded
// apart, so that they keep nobody else's out, and get no number then: their sender, which is
// long polling, waits and tries again.
func (o *outbox) push(c codec, channel string, e *envelope) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return o.stopped
	}
	size := c.size(e) + overheadBytes
	bytes := o.count(channel, e.isMessage())
	full := *bytes+size > o.most && e.isMessage() // control is little, and bounded
	if full && bytes == &o.direct {
		return pubsub.ErrBufferFull
	}
	if e.isMessage() {
		o.serial++
		s := o.streams.next(channel)
		e.epoch, e.seq = s.epoch, s.seq
		channel = s.channel // its messages share one string
	} else {
		o.number++
		e.number = o.number
		e.before, e.age = o.marks[0].serial, uint64(time.Since(o.marks[0].at).Milliseconds())
	}
	e.serial = o.serial
	if full {
		o.lost++
		return pubsub.ErrBufferFull
	}
	*bytes += size
	o.queue = append(o.queue, Outgoing{channel, c.encode(channel, e)})
	select {
	case o.news <- struct{}{}:
	default:
	}
	return nil
}

// refused numbers a message that is not sent, so that those who miss it know.
func (o *outbox) refused(channel string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.serial++
	o.streams.next(channel)
	o.lost++
}

// ask puts in a question, whether the broker lets this node publish to a channel.
func (o *outbox) ask(channel string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	m := Outgoing{channel, []byte(question)}
	o.bytes += cap(m.Data) + overheadBytes
	o.queue = append(o.queue, m)
	select {
	case o.news <- struct{}{}:
	default:
	}
}

// close takes no more. What is in it is still sent. The first reason counts.
func (o *outbox) close(reason error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closed, o.stopped = true, reason
	}
	select {
	case o.news <- struct{}{}:
	default:
	}
}

// take hands out what waits. It returns false when there will be nothing more.
func (o *outbox) take(spare []Outgoing) (batch []Outgoing, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if cap(spare) > maxSpare {
		spare = nil
	}
	batch, o.queue = o.queue, spare[:0]
	return batch, len(batch) > 0 || !o.closed
}

// done says that messages of a batch were sent, and perhaps one was lost.
func (o *outbox) done(sent []Outgoing, lost []Outgoing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent += o.forget(sent)
	o.lost += o.forget(lost)
}

// forget gives back the room of what the sender is done with, and counts the
// messages in it: what nodes say to each other is none.
func (o *outbox) forget(list []Outgoing) (messages int64) {
	for _, m := range list {
		isMessage := !m.Question() && kind(m.Data[3]) <= kindBinary
		*o.count(m.Channel, isMessage) -= cap(m.Data) + overheadBytes
		if isMessage {
			messages++
		}
	}
	return messages
}

// count is what counts the bytes of something on a channel.
func (o *outbox) count(channel string, isMessage bool) *int {
	if isMessage && strings.HasPrefix(channel, o.inboxes) {
		return &o.direct
	}
	return &o.bytes
}

// send sends until the outbox is closed and empty, or ctx ends.
func (n *Node) send(ctx context.Context) {
	o := &n.outbox
	var spare []Outgoing
	for {
		batch, more := o.take(spare)
		if len(batch) == 0 {
			if !more {
				return
			}
			spare = batch
			select {
			case <-o.news:
			case <-ctx.Done():
				return
			}
			continue
		}
		for rest := batch; len(rest) > 0; {
			if !n.awaitUp(ctx) {
				o.done(nil, rest)
				break
			}
			taken, err := n.link.Publish(ctx, rest)
			sent := rest[:taken]
			rest = rest[taken:]
			n.taken(sent)
			var lost []Outgoing
			if err != nil && !errors.Is(err, ErrAway) && len(rest) > 0 {
				lost, rest = rest[:1], rest[1:]
				n.condemned(lost[0], err)
			}
			o.done(sent, lost)
			if errors.Is(err, ErrAway) {
				n.pause(ctx)
			}
		}
		clear(batch)
		spare = batch
	}
}

// taken notes what the broker took.
func (n *Node) taken(list []Outgoing) {
	if len(list) == 0 {
		return
	}
	n.pulse.Sent()
	for _, m := range list {
		switch {
		case m.Question():
			if n.muted.answered(m.Channel) {
				n.book.Say(notice.BrokerTakes, notice.Foreign("channel", m.Channel))
			}
		case m.Channel == n.control:
			n.pulse.Written()
		}
	}
}

// condemned notes that the broker did not take a message, and will not.
func (n *Node) condemned(m Outgoing, err error) {
	refusal := (*Refusal)(nil)
	switch {
	case !errors.As(err, &refusal):
		n.book.Say(notice.BrokerRefused, slog.Any("error", err), notice.Foreign("channel", m.Channel), slog.Int("bytes", len(m.Data)))
	case m.Question():
		n.muted.add(m.Channel, err)
	default:
		n.unsent(m.Channel, err)
	}
}

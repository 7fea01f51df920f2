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

// outbox has the messages that wait for the broker. Messages are numbered and queued under its lock, so
// that they are sent in the order of their numbers.
type outbox struct {
	mu      sync.Mutex
	queue   []Outgoing
	bytes   int    // size of the queue, and of the messages that the sender is at, without direct ones
	direct  int    // the same for messages to one node
	most    int    // bounds each of the two
	inboxes string // beginning of inbox channels
	streams streams
	closed  bool
	lost    int64
	sent    int64
	serial  uint64        // number of messages so far
	number  uint64        // number of control envelopes so far
	marks   [2]mark       // at the last two beats
	stopped error         // the error of push after close
	news    chan struct{} // has a value if the queue may not be empty
}

// mark is the serial at a time.
type mark struct {
	serial uint64
	at     time.Time
}

// beat notes the present serial.
func (o *outbox) beat() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.marks[0], o.marks[1] = o.marks[1], mark{o.serial, time.Now()}
}

// maxSpare bounds the list that is kept for the next batch.
const maxSpare = 4096

// overheadBytes is the memory of a message besides its data.
const overheadBytes = 128

// push numbers, encodes and queues a message. If there is no room, the message gets a number all the
// same, so that receivers notice that they miss it. Messages to one node have a bound of their own,
// so that they do not displace others, and get no number if there is no room: their sender, which
// is long polling, waits and tries again.
func (o *outbox) push(c codec, channel string, e *envelope) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return o.stopped
	}
	size := c.size(e) + overheadBytes
	bytes := o.count(channel, e.kind.isMessage())
	full := *bytes+size > o.most && e.kind.isMessage() // control envelopes are few
	if full && bytes == &o.direct {
		return pubsub.ErrBufferFull
	}
	if e.kind.isMessage() {
		o.serial++
		s := o.streams.next(channel)
		e.epoch, e.seq = s.epoch, s.seq
		channel = s.channel // so that all messages of a channel share one string
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

// refused numbers a message that is not sent, so that receivers notice that they miss it.
func (o *outbox) refused(channel string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.serial++
	o.streams.next(channel)
	o.lost++
}

// ask queues a question for a channel.
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

// close makes push fail with a reason; the first one counts. Queued messages are still sent.
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

// take returns the queue and empties it. more is false if there is nothing, and will be nothing.
func (o *outbox) take(spare []Outgoing) (batch []Outgoing, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if cap(spare) > maxSpare {
		spare = nil
	}
	batch, o.queue = o.queue, spare[:0]
	return batch, len(batch) > 0 || !o.closed
}

// done counts sent and lost messages of a batch.
func (o *outbox) done(sent []Outgoing, lost []Outgoing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent += o.forget(sent)
	o.lost += o.forget(lost)
}

// forget frees the room of a list, and returns the number of messages in it, without control envelopes.
func (o *outbox) forget(list []Outgoing) (messages int64) {
	for _, m := range list {
		isMessage := !m.Question() && kind(m.Data[3]).isMessage()
		*o.count(m.Channel, isMessage) -= cap(m.Data) + overheadBytes
		if isMessage {
			messages++
		}
	}
	return messages
}

// count returns the counter for the bytes of a message or control envelope.
func (o *outbox) count(channel string, isMessage bool) *int {
	if isMessage && strings.HasPrefix(channel, o.inboxes) {
		return &o.direct
	}
	return &o.bytes
}

// send is the sender. It sends until the outbox is closed and empty, or ctx ends.
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

// taken notes that the broker has accepted messages.
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

// condemned notes that the broker has refused a message for good.
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

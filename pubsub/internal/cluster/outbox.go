package cluster

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// outbox is what waits for the broker. Its lock also makes the order of numbers that of
// sending.
type outbox struct {
	mu      sync.Mutex
	queue   []Outgoing
	bytes   int // of the queue, and of what the sender has taken out of it
	most    int
	streams streams
	closed  bool
	lost    int64
	sent    int64
	news    chan struct{} // the queue is not empty
}

// maxSpare bounds the list that is kept for the next batch.
const maxSpare = 4096

// overheadBytes is what a message costs beside its bytes.
const overheadBytes = 128

// push numbers and encodes a message and puts it in. One that has no place has its
// number all the same: those who miss it shall know.
func (o *outbox) push(c codec, channel string, e *envelope) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return pubsub.ErrStopped
	}
	if e.isMessage() {
		e.epoch, e.seq = o.streams.next(channel)
	}
	size := c.size(e) + overheadBytes
	if o.bytes+size > o.most && e.isMessage() { // control is little, and bounded
		o.lost++
		return pubsub.ErrBufferFull
	}
	o.bytes += size
	o.queue = append(o.queue, Outgoing{channel, c.encode(channel, e)})
	select {
	case o.news <- struct{}{}:
	default:
	}
	return nil
}

// close takes no more. What is in it is still sent.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
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
		o.bytes -= cap(m.Data) + overheadBytes
		if kind(m.Data[3]) <= kindBinary {
			messages++
		}
	}
	return messages
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
			var lost []Outgoing
			if err != nil && !errors.Is(err, ErrAway) && len(rest) > 0 {
				lost, rest = rest[:1], rest[1:]
				n.book.Say(notice.BrokerRefused, slog.Any("error", err), notice.Foreign("channel", lost[0].Channel), slog.Int("bytes", len(lost[0].Data)))
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

package history

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/task"
	"github.com/bennu-go/bennu/pubsub"
)

// publisher appends messages to the store and tells the subscribers of all nodes.
//
// A store that is not in memory is called in a goroutine of its own. So a publish ends in time
// whatever the store does. An append that nobody waits for any more keeps its turn until it has ended,
// and tells the subscribers itself if it has succeeded.
type publisher struct {
	store     Store
	followers *follow.Followers
	direct    bool // the store never waits
	timeout   time.Duration
	boot      string
	number    atomic.Uint64 // of the last append
	lines     lines
	tasks     *task.Group
	book      *notice.Book
	stats     publishStats

	waiting, waitingBytes atomic.Int64 // publishes that wait for the store, and their payloads
}

// Bounds of the publishes of one node that wait for the store.
const (
	mostWaiting      = 1024
	mostWaitingBytes = 8 << 20
)

// maxKey and maxFrom are the longest texts of their kinds, in bytes.
const (
	maxKey  = 128
	maxFrom = 64
)

// init makes the publisher ready. Its boot is a new one each time a program starts, so that the numbers of a
// former run are not taken for its own.
func (p *publisher) init() {
	p.boot = strings.ToLower(rand.Text()[:16])
	p.lines.init()
}

// publish appends a message and tells the subscribers, also those of a follower that has not started.
func (p *publisher) publish(ctx context.Context, kept *keptTopic, m *pubsub.Message, o *follow.PublishOptions) (at follow.Position, err error) {
	var place Place
	if hold := p.followers.Hold(m.Topic); hold != nil {
		defer func() {
			if err != nil || place.Doubled {
				hold.Release(nil)
			} else {
				hold.Release(&pubsub.Place{Epoch: place.Epoch, Offset: place.Offset, Prev: place.Prev})
			}
		}()
	}
	place, err = p.append(ctx, kept, m, o)
	return follow.Position{Epoch: place.Epoch, Offset: place.Offset}, err
}

// append is publish for the place. Each way to an error ends either before the store was asked, with an
// answer of the store that it has not taken the message, or with ErrUnknown.
func (p *publisher) append(ctx context.Context, kept *keptTopic, m *pubsub.Message, o *follow.PublishOptions) (Place, error) {
	if err := p.check(ctx, kept, m, o); err != nil {
		return Place{}, err
	}
	if !p.begin(len(m.Payload)) {
		return Place{}, ErrBusy
	}
	var began time.Time
	if !p.direct {
		began = time.Now()
	}
	l, w := p.lines.enter(m.Topic)
	if w != nil {
		if err := p.wait(ctx, w); err != nil {
			l.leave(w)
			p.end(len(m.Payload))
			return Place{}, fmt.Errorf("%w: an earlier message of the topic waits for it: %w", ErrUnavailable, err)
		}
	}
	// From here the turn to append is this publish's, until tell or failed passes it on.
	l.set(p, kept, m, o)
	if !p.direct {
		return p.publishApart(ctx, l, m, began)
	}
	place, err := p.store.Append(ctx, m.Topic, &l.entry, &l.options)
	if l.isEmpty(err) {
		place, err = p.store.Append(ctx, m.Topic, &l.entry, &l.options)
	}
	if err != nil {
		l.failed()
		return Place{}, err
	}
	stored, from := p.asStored(ctx, l, m, place)
	p.tell(l, stored, place, from)
	return place, nil
}

// check refuses what the store need not be asked for. Event and payload were checked by package bennu.
// A payload that is larger than Bytes of the topic would be dropped at once, so that nodes which miss it
// could not read it.
func (p *publisher) check(ctx context.Context, kept *keptTopic, m *pubsub.Message, o *follow.PublishOptions) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: it was not asked: %w", ErrUnavailable, context.Cause(ctx))
	case len(o.Key) > maxKey:
		return fmt.Errorf("history: the key has %d bytes; use at most %d", len(o.Key), maxKey)
	case len(o.From) > maxFrom:
		return fmt.Errorf("history: the name of the publishing channel has %d bytes; use at most %d", len(o.From), maxFrom)
	case len(m.Payload) > kept.keep.Bytes:
		return fmt.Errorf("%w: its payload has %d bytes, and Bytes of its history.Topic is %d", ErrTooLarge, len(m.Payload), kept.keep.Bytes)
	}
	return nil
}

// begin counts a publish that waits for the store. It reports false if there are too many. Nobody waits
// for a store in memory, and what waits there for its turn to be told waits for the subscribers. One
// message of any size is taken if it is alone.
func (p *publisher) begin(bytes int) bool {
	if p.direct {
		return true
	}
	n, b := p.waiting.Add(1), p.waitingBytes.Add(int64(bytes))
	if n > mostWaiting || n > 1 && b > mostWaitingBytes {
		p.end(bytes)
		return false
	}
	return true
}

// end undoes begin.
func (p *publisher) end(bytes int) {
	if !p.direct {
		p.waiting.Add(-1)
		p.waitingBytes.Add(int64(-bytes))
	}
}

// wait waits for the turn to append. It returns the cause of ctx, or errLate.
func (p *publisher) wait(ctx context.Context, w *waiter) error {
	late := time.NewTimer(p.timeout)
	defer late.Stop()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-late.C:
		return errLate
	}
}

var errLate = errors.New("PublishTimeout is over")

// set prepares the append of a message. Its number is taken with the turn, so that the numbers of a
// topic rise.
func (l *line) set(p *publisher, kept *keptTopic, m *pubsub.Message, o *follow.PublishOptions) {
	l.entry = Entry{
		Event: m.Event, Payload: m.Payload, Binary: m.Binary, From: o.From,
		Boot: p.boot, Number: p.number.Add(1),
	}
	l.options = AppendOptions{Keep: kept.keep, Key: o.Key}
	if o.After != nil {
		l.after = Head{Epoch: o.After.Epoch, Offset: o.After.Offset}
		l.options.After = &l.after
	}
}

// isEmpty reports whether an append was refused only because the topic has a log, but no messages. The
// zero After means both. The append is then prepared for another try.
func (l *line) isEmpty(err error) bool {
	if err == nil || l.options.After == nil || *l.options.After != (Head{}) {
		return false
	}
	var c *Conflict
	if !errors.As(err, &c) || c.Head.IsZero() || c.Head.at.Offset > 0 {
		return false
	}
	l.after = Head{Epoch: c.Head.at.Epoch}
	return true
}

// asStored returns the message to tell, and the name of the channel that does not get it. If a message
// with the same key was appended earlier, that one is told, since its publisher may have ended before
// it could. It is nil if the store does not have it any more. The caller has the turn to append.
func (p *publisher) asStored(ctx context.Context, l *line, m *pubsub.Message, place Place) (stored *pubsub.Message, from string) {
	p.stats.appended(place.Doubled)
	if !place.Doubled || l.options.Key == "" {
		return m, l.entry.From
	}
	// The earlier message may be another one, and must not be told with the content of m.
	o := ReadOptions{Keep: l.options.Keep, Entries: 1, Bytes: 1}
	piece, err := p.store.Read(ctx, m.Topic, place.Prev, &o)
	if err != nil || piece.Head.Epoch != place.Epoch || len(piece.Entries) != 1 || piece.Entries[0].Offset != place.Offset {
		return nil, ""
	}
	e := &piece.Entries[0]
	if !sound(e) {
		return nil, ""
	}
	return &pubsub.Message{Topic: m.Topic, Event: e.Event, Payload: e.Payload, Binary: e.Binary}, e.From
}

// tellTime bounds the wait for messages before one to be told. A subscriber that waits for a broadcast on
// the same topic, which it must not do, makes the wait so long. Then messages are told in another order,
// which the followers repair.
const tellTime = 5 * time.Second

// comes waits for the turn to tell. It reports false if that does not come.
func (l *line) comes(w *waiter) bool {
	late := time.NewTimer(tellTime)
	defer late.Stop()
	select {
	case <-w.ready:
		return true
	case <-late.C:
		return !l.leaveTelling(w)
	}
}

// tell passes the turn to append on, waits for the messages before m to be told, and tells m to the
// subscribers of all nodes. Then whatever befalls m is no error of the publish: the store has it, and
// nodes that do not hear of it read it there.
func (p *publisher) tell(l *line, m *pubsub.Message, place Place, from string) {
	if m == nil {
		l.failed()
		return
	}
	if w := l.appended(); w == nil || l.comes(w) {
		defer l.told() // a subscriber may panic
	}
	at := pubsub.Place{Epoch: place.Epoch, Offset: place.Offset, Prev: place.Prev, From: from}
	if err := p.followers.Tell(m, at); err != nil {
		p.stats.untold.Add(1)
		p.book.Say(notice.HistoryUntold, notice.Foreign("topic", m.Topic), notice.Foreign("event", m.Event), slog.String("error", err.Error()))
	}
}

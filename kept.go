package bennu

import (
	"fmt"
	"sync/atomic"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

func init() {
	follow.SinceParamOf = func(endpoint any) string {
		if e, ok := endpoint.(*Endpoint); ok && e.keeping != nil {
			return e.keeping.SinceParam()
		}
		return "since"
	}
}

// keptState is the part of a channel whose topic has a history. A channel that has asked for offsets, or
// for messages of the past, follows the topic: it has received all entries up to last, and is either
// live, so that each new entry goes straight to the connection, or behind, so that readers or its
// executor read the entries after last. Any other channel gets the entries as broadcasts.
type keptState struct {
	// sub, mode and form are set before the channel opens, and not changed after that.
	sub    *follow.Subscription
	mode   keptMode
	form   OffsetForm
	serial atomic.Uint32 // names the channel as the sender of a message; 0 until it is one

	// Channel.mu guards these.
	behind  bool
	resumed Resumed
	last    follow.Position
	more    *keptMore // nil for most channels once they have joined
}

// keptMode is how a channel gets the entries of its topic.
type keptMode uint8

const (
	asBroadcasts keptMode = iota // in the order in which they come
	asEntries                    // straight to the connection, or by the readers when it is behind
	byExecutor                   // one by one through the executor, since it intercepts some
)

// keptMore has what a channel needs for its join, and longer if it intercepts or has a Rewind of its
// own.
type keptMore struct {
	since  since
	form   OffsetForm // asked for; see chooseMode
	formed bool       // form is set
	rewind int        // of Channel.Rewind, or -1
	start  beginning  // the result of findPlace
	cursor *cursor    // for the mode byExecutor
}

// keeps returns the options of a topic, or nil if the topic is not kept.
func (n *node) keeps(topic string) *follow.Topic {
	if n.keeping == nil {
		return nil
	}
	return n.keeping.Topic(topic)
}

// keepsMessage reports whether a message is kept. Disconnects never are.
func (n *node) keepsMessage(m *pubsub.Message) bool {
	return m.Event != reserved.EventDisconnect && n.keeps(m.Topic) != nil
}

// isFollower reports whether the channel of k follows its topic. k may be nil.
func (k *keptState) isFollower() bool { return k != nil && k.mode != asBroadcasts }

// continues reports whether e is the entry after last. Channel.mu is held.
func (k *keptState) continues(e *follow.Entry) bool {
	return e.Place.Prev == k.last.Offset && (e.Place.Epoch == k.last.Epoch || k.last.Epoch == "")
}

// hasPassed reports whether the channel has got e already. Channel.mu is held.
func (k *keptState) hasPassed(e *follow.Entry) bool {
	return e.Place.Offset <= k.last.Offset && e.Place.Epoch == k.last.Epoch
}

// subscribeKept is subscribe for a topic that has a history. It also finds out from where a channel
// that follows goes on, which may take a read of the store.
func (c *Channel) subscribeKept() {
	k := c.kept
	c.chooseMode()
	sub := c.socket.node.keeping.Followers().Subscribe(c.topic, (*fastlane)(c))
	c.mu.Lock()
	over := c.state >= closed // otherwise closeLocked finds sub
	k.sub = sub
	c.mu.Unlock()
	if over {
		sub.Cancel()
		return
	}
	if !c.awaitReady(sub) {
		return
	}
	if k.isFollower() {
		c.findPlace()
	}
	// Nothing more would come. A gap has perhaps ended the channel already.
	if sub.Closed() && c.end(errHistoryClosed, nil) {
		c.at(nil).say(notice.HistoryClosed)
	}
}

// errHistoryClosed is the reason of the end of a channel that is joined after history.Log.Close.
var errHistoryClosed = fmt.Errorf("bennu: %w: the Log was closed", history.ErrUnavailable)

// deliverKept is Deliver for a message that is kept, in the goroutine that has taken it for this node. A
// channel that does not follow its topic gets the frame as that of a broadcast. isEntry is false if the
// message does not come from a follower: the endpoint has no history, and another on the same PubSub
// has one.
func (l *fastlane) deliverKept(d *pubsub.Dispatch) (isEntry bool, f transport.Frame) {
	c := (*Channel)(l)
	k := c.kept
	e, isEntry := d.Memo.(*follow.Entry)
	switch {
	case k == nil || !isEntry:
		return false, f
	case k.mode == byExecutor:
		c.wakeCursor()
	case k.mode == asEntries:
		c.followEntry(e)
	case e.Event == "" || c.hasSent(e):
	case c.intercepted(e.Event):
		l.intercept(d)
	default:
		f = c.framesOf(e, NoOffsets, false, true).frame
	}
	return true, f
}

// followEntry queues the frames of an entry, if the channel is live and the entry is the next one.
// If an entry is missing, or the connection has no room to spare, the channel is behind from now on.
func (c *Channel) followEntry(e *follow.Entry) {
	k := c.kept
	f := c.framesOf(e, k.form, e.Event == "" || c.hasSent(e), true)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.state == joining || c.state >= closed || k.behind || k.hasPassed(e):
	case !k.continues(e) || !c.offerLocked(f):
		c.fallBehindLocked()
	default:
		k.last = e.Position()
	}
}

// offerLocked queues the frames of an entry if the queue of the connection is at most half full.
func (c *Channel) offerLocked(f *entryFrames) bool {
	conn, ok := c.socket.conn.(ability.Offerer)
	if !ok {
		c.sendLocked(f)
		return true
	}
	first := f.frame
	if f.before != nil {
		// After it there is room for the other one, if that is not large.
		if first = *f.before; len(f.frame.Bytes()) > c.socket.outbound().bytes/4 {
			return false
		}
	}
	if len(first.Bytes()) > 0 {
		if again, err := conn.Offer(first); again != nil || err != nil {
			return false // the readers look for the reason
		}
	}
	if f.unread != nil {
		c.socket.conn.Send(*f.unread)
	}
	if f.before != nil {
		c.socket.conn.Send(f.frame)
	}
	return true
}

// sendLocked queues the frames of an entry.
func (c *Channel) sendLocked(f *entryFrames) {
	if f.unread != nil {
		c.socket.conn.Send(*f.unread)
	}
	if f.before != nil {
		c.socket.conn.Send(*f.before)
	}
	c.sendIfLocked(f.frame)
}

// sentLocked notes that the client was sent a position. Entries that have passed in silence up to there
// need no telling any more.
func (c *Channel) sentLocked(p follow.Position) {
	c.kept.last = p
	if c.kept.mode == byExecutor {
		c.kept.more.cursor.toldLocked(p)
	}
}

// fallBehindLocked ends the live state of a channel. Readers queue what follows, until it is live again.
func (c *Channel) fallBehindLocked() {
	c.setBehindLocked(true)
	c.socket.replays().add(c)
}

// setBehindLocked notes and counts whether the channel is behind.
func (c *Channel) setBehindLocked(behind bool) {
	if c.kept.behind == behind {
		return
	}
	c.kept.behind = behind
	if n := &c.socket.node.stats.history.behind; behind {
		n.Add(1)
	} else {
		n.Add(-1)
	}
}

// Broke implements follow.Breaker. The store has lost entries, so last is no place any more; or it has
// dropped entries after last before this node has read them. The readers find that out and tell the
// client.
func (l *fastlane) Broke(p follow.Position) {
	c := (*Channel)(l)
	k := c.kept
	if !k.isFollower() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.state == joining || c.state >= closed || k.behind || k.last.Epoch == p.Epoch && k.last.Offset >= p.Offset:
	case k.mode == asEntries:
		c.fallBehindLocked()
	case !k.more.cursor.posted:
		c.postCursorLocked()
	}
}

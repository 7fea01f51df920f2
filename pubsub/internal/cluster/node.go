package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/pubsub"
)

// Options configure a Node. The zero value of each field but Node is its default. They are the options
// that all adapters have.
type Options struct {
	Node   string        // required
	Prefix string        // default "bennu"
	Secret []byte        // default none
	Buffer int           // default 8 MiB
	Beat   time.Duration // default 5 s
	Logger *slog.Logger  // default slog.Default()
}

// Defaults of Options.
const (
	DefaultPrefix = "bennu"
	DefaultBuffer = 8 << 20
	DefaultBeat   = 5 * time.Second
)

// nodeExtra are the bytes that are allowed in the name of a node besides the plain ones.
const nodeExtra = ".@:"

// Node implements pubsub.Adapter with a Link.
//
// Its goroutines are the sender, one for each lane, keepInterests and beat. Stop awaits them all.
//
// Lock order: interests.mu, peers.mu, outbox.mu. The locks of a lane, of sources, of muted, state and
// pulse are held for a moment each, and no other lock is taken under them. The receiver is called
// without a lock.
type Node struct {
	options  Options
	link     Link
	codec    codec
	boot     uint64
	started  uint64 // in nanoseconds since 1970
	control  string // channels
	inbox    string
	nodes    string
	holder   string
	check    string
	echoes   echoes
	book     *notice.Book // logs refusals and losses
	log      *slog.Logger
	receiver pubsub.Receiver

	outbox    outbox
	interests interests
	inboxFrom sources
	lanes     []*lane
	peers     peers
	muted     muted
	pulse     *Pulse
	state     state
	holding   atomic.Int64  // number of boots with held messages, in all lanes
	holds     atomic.Bool   // the name of this node is established as its own
	yield     chan struct{} // closed when an older node with the name is found
	yieldOnce sync.Once
	yielded   atomic.Bool // this node has left the cluster
	stats     struct{ received, missed, discarded, garbage, gaps, conflicts atomic.Int64 }

	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	sender chan struct{} // closed when the sender has ended

	stopOnce sync.Once
}

// New makes a node. It checks the options, and does not connect.
func New(o Options, link Link) (*Node, error) {
	if !validName(o.Node, nodeExtra, MaxName) {
		return nil, fmt.Errorf("option Node is %q; give each node a name of its own, of 1 to %d letters, digits and -_%s", o.Node, MaxName, nodeExtra)
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if !validName(o.Prefix, ".", 64) || o.Prefix[0] == '.' || o.Prefix[len(o.Prefix)-1] == '.' {
		return nil, fmt.Errorf("option Prefix is %q; use 1 to 64 letters, digits, - and _, with dots between them if need be", o.Prefix)
	}
	switch {
	case o.Buffer == 0:
		o.Buffer = DefaultBuffer
	case o.Buffer < 0, o.Buffer > option.MaxCount:
		return nil, fmt.Errorf("option Buffer is %d; use 0 for the default of 8 MiB, or up to %d bytes", o.Buffer, option.MaxCount)
	}
	switch {
	case o.Beat == 0:
		o.Beat = DefaultBeat
	case o.Beat < 10*time.Millisecond:
		return nil, fmt.Errorf("option Probe is %v; use 0 for the default of 5s, or at least 10ms", o.Beat)
	}
	check := option.Checker{Of: "option "}
	check.Finite("Probe", o.Beat, 0, option.MaxDuration)
	check.Secret("Secret", o.Secret)
	if check.Err != nil {
		return nil, check.Err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	book := notice.NewBook(slog.New(redact.NewHandler(o.Logger.Handler())).With("node", o.Node))
	n := &Node{
		options: o, link: link, codec: newCodec(o.Secret), boot: randomNumber(), started: uint64(time.Now().UnixNano()),
		control: controlChannel(o.Prefix), inbox: inboxChannel(o.Prefix, o.Node),
		nodes: nodesChannel(o.Prefix), holder: holderChannel(o.Prefix, o.Node), yield: make(chan struct{}),
		check: checkChannel(o.Prefix, o.Node), pulse: NewPulse(o.Beat),
		book: book, log: slog.New(book.Handler()),
		sender: make(chan struct{}),
	}
	n.outbox.most = o.Buffer
	n.outbox.inboxes = inboxPrefix(o.Prefix)
	n.outbox.news = make(chan struct{}, 1)
	n.outbox.closed, n.outbox.stopped = true, pubsub.ErrStopped // until Start
	n.interests.init()
	n.peers.init(o.Node)
	n.state.init()
	for range max(1, min(16, runtime.GOMAXPROCS(0))) {
		n.lanes = append(n.lanes, newLane())
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n, nil
}

// Node implements pubsub.Adapter.
func (n *Node) Node() string { return n.options.Node }

// Start implements pubsub.Adapter.
func (n *Node) Start(ctx context.Context, r pubsub.Receiver) error {
	n.receiver = r
	if err := n.link.Open(ctx, n); err != nil {
		return err
	}
	n.state.set(true, nil)
	n.outbox.mu.Lock()
	n.outbox.closed = false
	n.outbox.marks = [2]mark{{0, time.Now()}, {0, time.Now()}}
	n.outbox.mu.Unlock()
	for _, l := range n.lanes {
		n.tasks.Go(func() { l.run(n.deliver) })
	}
	go func() { defer close(n.sender); n.send(n.ctx) }()
	if err := n.introduce(ctx); err != nil {
		n.stop(ctx)
		return err
	}
	n.tasks.Go(func() { n.keepInterests(n.ctx) })
	n.tasks.Go(func() { n.beat(n.ctx) })
	return nil
}

// Stop implements pubsub.Adapter.
func (n *Node) Stop(ctx context.Context) error {
	if n.receiver == nil {
		return nil // it was not started
	}
	return n.stop(ctx)
}

// stop ends the node once.
func (n *Node) stop(ctx context.Context) (err error) {
	n.stopOnce.Do(func() { err = n.end(ctx) })
	return err
}

// end sends waiting messages, as far as ctx allows, and ends everything.
func (n *Node) end(ctx context.Context) error {
	_ = n.tell(n.control, &envelope{kind: kindBye})
	n.outbox.close(pubsub.ErrStopped)
	var err error
	for sending := true; sending && n.state.up(); {
		select {
		case <-n.sender:
			sending = false
		case <-n.state.change(): // if the broker is away, there is no point in waiting
		case <-ctx.Done():
			sending = false
			err = fmt.Errorf("pubsub: stop: not everything was sent: %w", context.Cause(ctx))
		}
	}
	n.cancel()
	for _, l := range n.lanes {
		l.close()
	}
	n.link.Close()
	<-n.sender
	n.tasks.Wait()
	n.state.set(false, pubsub.ErrStopped)
	return err
}

// tell sends a control envelope.
func (n *Node) tell(channel string, e *envelope) error {
	e.boot, e.node, e.server = n.boot, n.options.Node, n.link.Server()
	e.holds, e.started, e.nodes = n.holds.Load(), n.started, n.peers.there()
	return n.outbox.push(n.codec, channel, e)
}

// Message implements Events.
func (n *Node) Message(channel string, data []byte) {
	if n.yielded.Load() {
		return
	}
	n.pulse.Enter()
	defer n.pulse.Leave()
	own := bootOf(data) == n.boot
	if own {
		n.echoes.heard(channel)
	}
	if channel == n.check || string(data) == question {
		return // a node has tried whether it may publish to the channel
	}
	if own && (len(data) < headerBytes || kind(data[3]).isMessage()) {
		return // a message of this node was delivered when it was published
	}
	if len(data) >= headerBytes && !kind(data[3]).isMessage() {
		// Control envelopes are few and small, and other nodes wait for the answers.
		n.controlled(channel, data)
		return
	}
	n.lanes[laneOf(channel, len(n.lanes))].push(incoming{channel: channel, data: data, stamp: n.peers.era.Load()})
}

// deliver delivers a message of a lane.
func (n *Node) deliver(l *lane, in incoming) {
	if in.channel == "" {
		n.release(l, in.stamp)
		n.expire(l, time.Now())
		return
	}
	defer func() {
		// Subscribers must not panic. But data of a stranger must not end the process in any
		// case.
		if r := recover(); r != nil {
			n.book.Say(notice.DeliveryCrash, notice.Foreign("channel", in.channel), slog.String("error", redact.Print(r)), redact.StackAttr())
		}
	}()
	e, err := n.codec.decode(in.channel, in.data)
	if err != nil || !e.kind.isMessage() {
		n.garbage(in.channel, in.data)
		return
	}
	from, moment := &n.inboxFrom, uint64(0)
	var it *interest // nil for a message in the inbox
	if in.channel != n.inbox {
		it = n.interests.get(in.channel)
		if it == nil {
			if in.channel == n.control {
				n.garbage(in.channel, in.data) // no message of a topic belongs there
			}
			return // the interest ended a moment ago
		}
		if it.topic != e.message.Topic {
			n.garbage(in.channel, in.data)
			return
		}
		from, moment = &it.sources, it.moment
	}
	if len(l.held.boots) > 0 && l.held.boots[e.boot] != nil {
		n.hold(l, &e, in) // after earlier ones, to keep the order
		return
	}
	v := from.take(&e, in.stamp)
	if v.unknown {
		k := n.peers.get(e.boot, in.stamp)
		if k == nil {
			n.hold(l, &e, in)
			return
		}
		v = from.begin(k, &e, n.peers.floor(k, moment))
	}
	if it != nil && it.gone.Load() {
		return // its number was noted in sources that are not used any more
	}
	if v.stale {
		n.stale(&e)
		return
	}
	if v.missed > 0 && it != nil {
		v.missed = n.peers.promised(v.missed, &e, it.sync.Load())
	}
	if v.missed > 0 {
		n.stats.missed.Add(int64(v.missed))
		n.book.Say(notice.MessagesMissed, notice.Foreign("topic", e.message.Topic), slog.Uint64("messages", v.missed))
		if in.channel != n.inbox {
			n.receiver.Gap(pubsub.Gap{Topic: e.message.Topic, Missed: int(min(v.missed, 1<<30)), Cause: errMissed})
		}
	}
	n.stats.received.Add(1)
	n.receiver.Receive(&e.message)
}

// stale counts a message that arrived twice or too late.
func (n *Node) stale(e *envelope) {
	n.stats.discarded.Add(1)
	n.book.Say(notice.MessagesStale, n.about(&e.message)...)
}

var errMissed = errors.New("the numbers of the messages have a gap")

// garbage counts data that is no envelope of this cluster.
func (n *Node) garbage(channel string, data []byte) {
	if channel == n.nodes || channel == n.holder {
		return // from a Knock
	}
	n.stats.garbage.Add(1)
	if v := otherVersion(data); v != 0 {
		n.book.Say(notice.NodeVersion, slog.Int("version", v), slog.Int("own", version))
		return
	}
	n.book.Say(notice.BrokerGarbage, notice.Foreign("channel", channel))
}

// Down implements Events.
func (n *Node) Down(cause error) {
	if n.yielded.Load() {
		return
	}
	n.state.set(false, cause)
	if refusal := (*Refusal)(nil); errors.As(cause, &refusal) {
		n.Refused(refusal)
	}
	n.book.Say(notice.BrokerAway, slog.Any("error", cause))
}

// Up implements Events.
func (n *Node) Up() {
	if n.yielded.Load() {
		return
	}
	n.pulse.Heard()
	n.state.set(true, nil)
	n.log.Info("the broker is back")
	n.hello()
	n.interests.gap(errAway)
}

var errAway = errors.New("the broker was away")

// Dropped implements Events.
func (n *Node) Dropped(cause error) {
	n.book.Say(notice.BrokerDropped, slog.Any("error", cause))
	n.interests.gap(cause)
}

// Health implements pubsub.Adapter.
func (n *Node) Health() pubsub.Health {
	h := pubsub.Health{
		Peers:     n.peers.list(),
		Received:  n.stats.received.Load(),
		Missed:    n.stats.missed.Load(),
		Discarded: n.stats.discarded.Load(),
		Garbage:   n.stats.garbage.Load(),
		Gaps:      n.stats.gaps.Load(),
		Conflicts: n.stats.conflicts.Load(),
	}
	h.Connected, h.Since, h.Err = n.state.get()
	if whole, refusal := n.refusal(); h.Err == nil || whole && h.Err != pubsub.ErrStopped {
		h.Err = refusal
	}
	if h.Err == nil && n.peers.conflict(3*n.options.Beat) {
		h.Err = n.errTaken()
	}
	h.Topics, h.Pending = n.interests.count()
	n.outbox.mu.Lock()
	defer n.outbox.mu.Unlock()
	h.Buffered, h.Sent, h.Lost = n.outbox.bytes+n.outbox.direct, n.outbox.sent, n.outbox.lost
	return h
}

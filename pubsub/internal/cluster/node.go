package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/pubsub"
)

// Options configure a Node. The zero value of each field but Node is its default.
// They are the part of an adapter's own options that all adapters have.
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

// nodeExtra are the bytes that a node's name may have beside the plain ones.
const nodeExtra = ".@:"

// Node is a pubsub.Adapter.
type Node struct {
	options  Options
	link     Link
	codec    codec
	boot     uint64
	control  string // channels
	inbox    string
	book     *notice.Book // of what is refused, dropped or lost
	log      *slog.Logger
	receiver pubsub.Receiver

	outbox    outbox
	interests interests
	inboxFrom sources
	lanes     []*lane
	peers     peers
	state     state
	stats     struct{ received, missed, discarded, garbage, gaps, conflicts atomic.Int64 }

	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	sender chan struct{} // closed when the sender has ended

	stopOnce sync.Once
}

// New makes a node. What is wrong with o comes from here, before a connection
// is tried.
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
	case o.Buffer < 0:
		return nil, fmt.Errorf("option Buffer is %d; use 0 for the default of 8 MiB, or a number of bytes", o.Buffer)
	}
	switch {
	case o.Beat == 0:
		o.Beat = DefaultBeat
	case o.Beat < 10*time.Millisecond:
		return nil, fmt.Errorf("option Probe is %v; use 0 for the default of 5s, or at least 10ms", o.Beat)
	}
	if n := len(o.Secret); n > 0 && n < 16 {
		return nil, fmt.Errorf("option Secret has %d bytes; use 32 random ones, the same on every node", n)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	book := notice.NewBook(slog.New(redact.NewHandler(o.Logger.Handler())).With("node", o.Node))
	n := &Node{
		options: o, link: link, codec: newCodec(o.Secret), boot: rand.Uint64() | 1,
		control: controlChannel(o.Prefix), inbox: inboxChannel(o.Prefix, o.Node),
		book: book, log: slog.New(book.Handler()),
		sender: make(chan struct{}),
	}
	n.outbox.most = o.Buffer
	n.outbox.news = make(chan struct{}, 1)
	n.outbox.closed = true // until Start
	n.interests.init()
	n.peers.init()
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
		return nil // was never started
	}
	return n.stop(ctx)
}

func (n *Node) stop(ctx context.Context) (err error) {
	n.stopOnce.Do(func() { err = n.end(ctx) })
	return err
}

func (n *Node) end(ctx context.Context) error {
	_ = n.tell(n.control, &envelope{kind: kindBye})
	n.outbox.close()
	var err error
	for sending := true; sending && n.state.up(); {
		select {
		case <-n.sender:
			sending = false
		case <-n.state.change(): // what waits for a broker that is away would wait for long
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

// Broadcast implements pubsub.Adapter.
func (n *Node) Broadcast(m *pubsub.Message) error {
	return n.publish(TopicChannel(n.options.Prefix, m.Topic), m)
}

// Direct implements pubsub.Adapter.
func (n *Node) Direct(node string, m *pubsub.Message) error {
	if !validName(node, nodeExtra, MaxName) {
		return fmt.Errorf("pubsub: no node has the name %q", node)
	}
	return n.publish(inboxChannel(n.options.Prefix, node), m)
}

func (n *Node) publish(channel string, m *pubsub.Message) error {
	e := envelope{kind: kindText, boot: n.boot, message: *m}
	if m.Binary {
		e.kind = kindBinary
	}
	err := pubsub.ErrTooLarge
	if len(m.Topic) <= maxTopic && len(m.Event) <= maxEvent && n.codec.size(&e) <= n.link.MaxPayload() {
		err = n.outbox.push(n.codec, channel, &e)
	}
	switch err {
	case pubsub.ErrTooLarge:
		n.book.Say(notice.BrokerTooLarge, n.about(m, slog.Int("limit", n.link.MaxPayload()))...)
	case pubsub.ErrBufferFull:
		n.book.Say(notice.BrokerFull, n.about(m, slog.Int("limit", n.options.Buffer))...)
	}
	return err
}

// about makes the attributes of a line about a message. Its payload is not among them.
func (n *Node) about(m *pubsub.Message, attrs ...slog.Attr) []slog.Attr {
	return append([]slog.Attr{
		notice.Foreign("topic", m.Topic), notice.Foreign("event", m.Event), slog.Int("bytes", len(m.Payload)),
	}, attrs...)
}

// tell sends what nodes have to say to each other.
func (n *Node) tell(channel string, e *envelope) error {
	e.boot, e.node = n.boot, n.options.Node
	return n.outbox.push(n.codec, channel, e)
}

// Message implements Events.
func (n *Node) Message(channel string, data []byte) {
	if bootOf(data) == n.boot && (len(data) < headerBytes || kind(data[3]) <= kindBinary) {
		return // our own
	}
	if len(data) >= headerBytes && kind(data[3]) > kindBinary {
		// A few small ones, which others wait for.
		n.controlled(channel, data)
		return
	}
	n.lanes[laneOf(channel, len(n.lanes))].push(incoming{channel, data})
}

// deliver takes a message out of its lane.
func (n *Node) deliver(in incoming) {
	defer func() {
		// Subscribers must not panic; foreign bytes shall not end the process in
		// any case.
		if r := recover(); r != nil {
			n.book.Say(notice.DeliveryCrash, notice.Foreign("channel", in.channel), slog.String("error", fmt.Sprint(r)), redact.StackAttr())
		}
	}()
	e, err := n.codec.decode(in.channel, in.data)
	if err != nil || !e.isMessage() {
		n.garbage(in.channel)
		return
	}
	from := &n.inboxFrom
	if in.channel != n.inbox {
		it := n.interests.get(in.channel)
		if it == nil {
			if in.channel == n.control {
				n.garbage(in.channel) // no message belongs there
			}
			return // given up a moment ago
		}
		if it.topic != e.message.Topic {
			n.garbage(in.channel)
			return
		}
		from = &it.sources
	}
	v := from.take(e.boot, e.epoch, e.seq)
	if v.stale {
		n.stats.discarded.Add(1)
		n.book.Say(notice.MessagesStale, n.about(&e.message)...)
		return
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

var errMissed = errors.New("the numbers of the messages have a gap")

func (n *Node) garbage(channel string) {
	n.stats.garbage.Add(1)
	n.book.Say(notice.BrokerGarbage, notice.Foreign("channel", channel))
}

// Down implements Events.
func (n *Node) Down(cause error) {
	n.state.set(false, cause)
	n.book.Say(notice.BrokerAway, slog.Any("error", cause))
}

// Up implements Events.
func (n *Node) Up() {
	n.peers.heardSelf()
	n.state.set(true, nil)
	n.log.Info("the broker is back")
	_ = n.tell(n.control, &envelope{kind: kindBeat, server: n.link.Server()})
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
		Peers:     n.peers.names(),
		Received:  n.stats.received.Load(),
		Missed:    n.stats.missed.Load(),
		Discarded: n.stats.discarded.Load(),
		Garbage:   n.stats.garbage.Load(),
		Gaps:      n.stats.gaps.Load(),
		Conflicts: n.stats.conflicts.Load(),
	}
	h.Connected, h.Since, h.Err = n.state.get()
	if h.Err == nil && n.peers.conflict(3*n.options.Beat) {
		h.Err = n.errTaken()
	}
	h.Topics, h.Pending = n.interests.count()
	n.outbox.mu.Lock()
	defer n.outbox.mu.Unlock()
	h.Buffered, h.Sent, h.Lost = n.outbox.bytes, n.outbox.sent, n.outbox.lost
	return h
}

func (n *Node) errTaken() error {
	return fmt.Errorf("pubsub: %w: %q; give each node a name of its own", pubsub.ErrNameTaken, n.options.Node)
}

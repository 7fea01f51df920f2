package client

import (
	"context"
	"errors"
	"iter"
	"time"
)

var errUnfinished = errors.New("client: not written yet")

// Socket is a connection that keeps itself alive.
type Socket struct{}

// Channel is a topic on a socket.
type Channel struct{}

// New checks url and opts and returns a socket that is not connected.
func New(url string, opts *Options) (*Socket, error) { _, err := opts.withDefaults(); return &Socket{}, err }

// Dial connects and waits until the socket is open.
func Dial(ctx context.Context, url string, opts *Options) (*Socket, error) { return nil, errUnfinished }

// Connect starts connecting in the background.
func (s *Socket) Connect() {}

// Open waits until the socket is open.
func (s *Socket) Open(ctx context.Context) error { return errUnfinished }

// Channel returns a channel that is not joined.
func (s *Socket) Channel(topic string, params any) *Channel { return &Channel{} }

// Done is closed when the socket has ended for good.
func (s *Socket) Done() <-chan struct{} { return nil }

// Err is why.
func (s *Socket) Err() error { return nil }

// Close ends it.
func (s *Socket) Close() error { return nil }

// Ping measures a round trip.
func (s *Socket) Ping(ctx context.Context) (time.Duration, error) { return 0, errUnfinished }

// OnMessage is called with every message.
func (s *Socket) OnMessage(f func(Message)) (off func()) { return func() {} }

// Join joins.
func (ch *Channel) Join(ctx context.Context) (Reply, error) { return Reply{}, errUnfinished }

// Leave leaves.
func (ch *Channel) Leave(ctx context.Context) error { return errUnfinished }

// Push sends and waits for the reply.
func (ch *Channel) Push(ctx context.Context, event string, payload any) (Reply, error) {
	return Reply{}, errUnfinished
}

// Send sends.
func (ch *Channel) Send(event string, payload any) error { return errUnfinished }

// On registers a callback.
func (ch *Channel) On(event string, f func(Message)) (off func()) { return func() {} }

// OnMessage sees every event.
func (ch *Channel) OnMessage(f func(Message) Message) (off func()) { return func() {} }

// OnError is called when the channel goes down.
func (ch *Channel) OnError(f func(error)) (off func()) { return func() {} }

// OnClose is called when it ends for good.
func (ch *Channel) OnClose(f func(error)) (off func()) { return func() {} }

// Events is an iterator.
func (ch *Channel) Events(ctx context.Context, events ...string) iter.Seq2[Message, error] {
	return func(func(Message, error) bool) {}
}

// State is the state.
func (ch *Channel) State() State { return StateClosed }

// Topic is the topic.
func (ch *Channel) Topic() string { return "" }

// JoinRef is the join_ref.
func (ch *Channel) JoinRef() string { return "" }

// Join joins and decodes.
func Join[Out any](ctx context.Context, ch *Channel) (out Out, err error) { return out, errUnfinished }

// Push pushes and decodes.
func Push[Out any](ctx context.Context, ch *Channel, event string, payload any) (out Out, err error) {
	return out, errUnfinished
}

// On registers a typed callback.
func On[In any](ch *Channel, event string, f func(In)) (off func()) { return func() {} }

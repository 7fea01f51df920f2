// Package ability declares what connections, receivers and serializers can do beyond the interfaces
// of packages transport, seam and wire. Each ability is found by a type assertion. The comments say
// who has it, who asks for it, and what happens without it. A value that wraps another must pass its
// abilities on.
//
// They are not part of those interfaces because not all implementations have them. None is for
// programs. Three packages have abilities of their own: bennu those of a Definition (define.go),
// pubsub its GapSubscriber, and the adapters those of their links (pubsub/internal/cluster).
package ability

import (
	"context"
	"log/slog"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// The connection of a socket may have these; package bennu asks for them.

// Offerer takes frames that can wait, such as large lists of presences and warnings of an expiry.
// Connections over any transport have it, and those of package channeltest do not: to them all
// frames are sent at once. The methods are called under locks: they must not block and must not
// call back.
type Offerer interface {
	// Offer queues a frame if that leaves room for other frames; see pace.Offer. Otherwise it
	// returns a channel that is closed when the frame may be offered again.
	Offer(f transport.Frame) (again <-chan struct{}, err error)
	// Low returns nil if little is queued. Otherwise it returns a channel that is closed when little
	// is.
	Low() <-chan struct{}
	// OnLow reports whether little is queued, or the connection has ended. If neither is so, it calls
	// f when one of them is, once, in a goroutine that holds no lock and that the transport waits
	// for. f must not block.
	OnLow(f func()) (low bool)
}

// Bounded has a queue with bounds of its own, as connections made of a transport.Link have. The
// bounds of all others are options of their transport.
type Bounded interface {
	// MostQueued returns the bounds of the queue of frames for the client.
	MostQueued() (bytes, messages int)
}

// Lingerer keeps a file open after Receiver.Closed, until its client has closed its side or the
// linger time is over. The connection counts for NodeLimits.PerAddress until then. WebSockets and
// connections made of a transport.Link have it. Without it a connection counts until Closed.
type Lingerer interface {
	// AfterGone registers f to run when the file is closed. It may be called only in
	// Receiver.Closed. f must not block.
	AfterGone(f func())
}

// Observer gets the errors that the client does not, so that a test can say why a channel crashed.
// The connections of package channeltest have it. The methods are called under locks: they must not
// block and must not call back.
type Observer interface {
	// ChannelEnded gets the reason of a channel's end, before the client gets its last frame. The
	// join_ref is as the client sent it.
	ChannelEnded(topic string, joinRef wire.Ref, reason error)
	// CallbackFailed gets an error for which the client gets only "internal" or "invalid payload",
	// or nothing. A *PanicError is one of Terminate, or of a callback that ran on after the end of
	// its channel.
	CallbackFailed(topic string, err error)
}

// The serializer of a socket may have this; package bennu asks for it.

// TokenBounded bounds the JSON values and keys of a message, and returns the bound for the log. Those
// of package wire have it. For one without it, the default is logged.
type TokenBounded interface {
	MaxTokens() int
}

// The receiver of a connection may have these. That of package bennu has all of them; those in
// tests of transports have few.

// Describer describes the connection for the log. All transports ask for it. Without it their lines
// have only their own attributes.
type Describer interface {
	// About returns the attributes of the connection, followed by attrs.
	About(attrs ...slog.Attr) []slog.Attr
}

// Completer tells when no received message waits behind a join. A message in the mailbox of a
// channel counts as handled. Long polling asks for it, to answer a post only then. Without it a
// post is answered when Receive has returned.
type Completer interface {
	// AllHandled returns nil if no message waits, and otherwise a channel that is closed when none
	// does.
	AllHandled() <-chan struct{}
}

// Idler lets a test wait until all work is done. Package channeltest asks for it.
type Idler interface {
	// AwaitIdle waits for a moment at which no callback of the whole endpoint runs or has work
	// waiting. It returns the cause of ctx if that ends first.
	AwaitIdle(ctx context.Context) error
	// AwaitHandled waits until the channel of a topic has handled the messages that are in its
	// mailbox now, or has ended, or until ctx ends.
	AwaitHandled(ctx context.Context, topic string)
}

// Package ability declares what connections and receivers can do beside the interfaces of package
// transport. All these are found by a type assertion: who lacks one is asked for nothing, and the
// comment says what happens then. A value that wraps another must pass its abilities on.
//
// They are here and not in those interfaces because each is for one or two of their
// implementations. None is for programs. Three packages find abilities of their own: bennu those
// of a Definition (define.go), pubsub its GapSubscriber, and the adapters those of their links
// (pubsub/internal/cluster).
package ability

import (
	"context"
	"log/slog"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// The connection of a socket may have these; package bennu asks for them.

// Offerer takes frames that can wait, such as large lists of presences and warnings of an expiry.
// The connections of both transports have it. To one without, all frames are sent at once. The
// methods are called under locks: they must not block, nor call back.
type Offerer interface {
	// Offer queues a frame if that leaves room for others; see pace.Offer. Otherwise it returns
	// a channel that is closed when the frame may be offered again.
	Offer(f transport.Frame) (again <-chan struct{}, err error)
	// Low is nil when little is queued, and otherwise a channel that is closed then.
	Low() <-chan struct{}
}

// Bounded has a queue whose bounds only the connection knows, as those have that are made of a
// transport.Link. That of all others is known from the options of their transport.
type Bounded interface {
	// MostQueued is how much may wait for the client.
	MostQueued() (bytes, messages int)
}

// Lingerer keeps a file after Receiver.Closed, until its client has gone. A WebSocket has it, so
// that it counts for NodeLimits.PerAddress for so long; without it a connection counts until Closed.
type Lingerer interface {
	// AfterGone has f called when the file is closed. It may be called only in Receiver.Closed.
	// f is called under locks, and must not block.
	AfterGone(f func())
}

// Observer is told what the client is not, so that a test can say why a channel crashed. The
// connections of package channeltest have it. The methods are called under locks: they must not
// block, nor call back.
type Observer interface {
	// ChannelEnded gives the reason of an end, before the client hears of it. The
	// join_ref is as the client sent it.
	ChannelEnded(topic string, joinRef wire.Ref, reason error)
	// CallbackFailed gives an error in place of which the client is told "internal" or
	// "invalid payload", or nothing. A *PanicError is one of Terminate, or of whatever
	// still ran after its channel had ended.
	CallbackFailed(topic string, err error)
}

// The receiver of a connection may have these. That of package bennu has all; those of the tests
// of transports have few.

// Describer says for the log which connection it is. Both transports ask for it; without it their
// lines have the fault alone.
type Describer interface {
	// About adds the attributes of the connection to those of a line.
	About(attrs ...slog.Attr) []slog.Attr
}

// Completer tells when all that was received is handled. Long polling asks for it, to answer a
// post only then; without it a post is answered when Receive has returned.
type Completer interface {
	// AllHandled is nil when all is handled, and otherwise a channel that is closed then.
	AllHandled() <-chan struct{}
}

// Idler lets a test wait until nothing is left to do. Package channeltest asks for it.
type Idler interface {
	// AwaitIdle waits for a moment when no callback of the whole endpoint runs and none has
	// anything to do.
	AwaitIdle(ctx context.Context) error
	// AwaitHandled waits until the channel of a topic has handled what is in its mailbox now, or
	// has ended.
	AwaitHandled(ctx context.Context, topic string)
}

package bennu

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/ratelog"
	"github.com/bennu-go/bennu/internal/task"
	"github.com/bennu-go/bennu/pubsub"
)

// node is the part of an Endpoint that its sockets, channels and subscriptions share. They hold a
// *node; the Endpoint around it adds mounts, HTTP, Serve and Shutdown. Only Socket.Endpoint leads
// from a socket back to the Endpoint, for programs.
//
// NewEndpoint sets the fields; after that they are read without a lock. Two fields still change:
// Endpoint.Socket adds to handlers; it also lowers leastOutbound, as a connection with bounds of
// its own does. A transport with its own listener may serve one mount while the next is added, so
// both fields are atomic. The types that change while the endpoint serves have their own locks.
// None of these locks is held while user code runs, except that disconnects subscribes under its
// lock and so calls Interest of a pubsub.Adapter.
type node struct {
	pubsub     *pubsub.PubSub
	book       *notice.Book    // counts and logs everything that is refused, dropped or closed
	log        *ratelog.Logger // the log of the book; it masks secrets
	ignoreGaps bool            // EndpointOptions.IgnoreGaps
	keeping    follow.Log      // EndpointOptions.History, or nil
	boot       string          // names this node as the sender of messages that are kept

	handlers growing[*mountedHandler]
	// leastOutbound is the smallest queue bound of all mounts and connections, in bytes. A frame of
	// at most this size fits the queue of every client.
	leastOutbound atomic.Int64

	admission   *admission
	sockets     socketList
	disconnects disconnects
	lingering   lingering
	stats       counters
	serials     atomic.Uint32 // the last serial of a channel
	replayers   replayers

	tasks   task.Group // executors, joins, subscriptions, renewals; none while there is no work
	lasting task.Group // goroutines of Channel.Go, which may run as long as their channel
	start   time.Time  // the time at which now is zero
	// ctx is cancelled by Shutdown once the connections are drained. The contexts of subscriptions
	// and renewals derive from it; handlers have the context of their channel.
	ctx context.Context
}

// now returns the time since the endpoint was made. Changes of the system clock do not affect it.
func (n *node) now() time.Duration { return time.Since(n.start) }

package bennu

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/ratelog"
	"github.com/bennu-go/bennu/internal/task"
	"github.com/bennu-go/bennu/pubsub"
)

// node is the part of an Endpoint that its sockets, channels and subscriptions share. They
// use a *node and not the Endpoint, which is the face of it: mounts, HTTP, Serve, Shutdown.
// Socket.Endpoint alone leads back to that, for programs.
//
// NewEndpoint sets the fields, which are then read without a lock. Endpoint.Socket adds to handlers
// and leastOutbound, and a transport that listens by itself may serve a mount meanwhile, so these are
// atomic. The types that change while the endpoint serves have locks of their own. None of those
// locks is held while user code runs.
type node struct {
	pubsub     *pubsub.PubSub
	book       *notice.Book    // counts and logs all that is refused, dropped or closed
	log        *ratelog.Logger // where the book writes; masks secrets
	ignoreGaps bool            // EndpointOptions.IgnoreGaps

	handlers growing[*mountedHandler]
	// leastOutbound is the smallest number of bytes that may wait for a client of any mount.
	// A frame that is no larger fits every client.
	leastOutbound atomic.Int64

	admission   *admission
	sockets     socketList
	disconnects disconnects
	lingering   lingering
	stats       counters

	tasks   task.Group // executors, joins, subscriptions: none while nothing is to be done
	lasting task.Group // Channel.Go
	start   time.Time  // zero of the clock
	// ctx ends with Shutdown, when the connections are closed. Subscriptions and renewals
	// derive theirs from it; handlers have the context of their channel.
	ctx context.Context
}

// now is the time since the endpoint was made. Changes of the system's clock do not affect it.
func (n *node) now() time.Duration { return time.Since(n.start) }

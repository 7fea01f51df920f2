package follow

import (
	"context"

	"github.com/bennu-go/bennu/pubsub"
)

// Log is what package history gives to an endpoint beside its exported names.
type Log interface {
	// Topic returns the options of a kept topic, or nil if the topic is not kept.
	Topic(name string) *Topic
	// Followers returns the followers of this node.
	Followers() *Followers
	// Publish appends a message to the log of its topic, which is kept, and gives it to all nodes.
	// It returns when the store has the message and, if nothing is missing before it, the subscribers
	// of this node have it.
	Publish(ctx context.Context, m *pubsub.Message, o PublishOptions) (Position, error)
	// SinceParam is the name of the member of a join's payload that has the position of the client.
	SinceParam() string
	// Stats returns the counters of publishing, and those of the followers.
	Stats() LogStats
}

// LogStats are the counters of a Log.
type LogStats struct {
	Stats
	Appends      int64            // messages that the store has taken
	Doubled      int64            // publishes whose message the store had already
	AppendErrors map[string]int64 // publishes with an error: "unavailable", "unknown", "conflict", "too_large", "busy"
	Untold       int64            // kept messages that other nodes have to read from the store
}

// Topic are the options of a kept topic.
type Topic struct {
	Entries, Bytes int // what is kept; the age is left to the store
	Rewind         int // entries that a client without a position gets
	MaxReplay      int // a client that has missed more is told that it cannot resume
	NoResume       bool
}

// PublishOptions are the options of one Publish. The zero value is a plain broadcast.
type PublishOptions struct {
	Key   string    // published once within a time, whatever the retries
	After *Position // only if this is the head
	From  string    // the channel that does not get the message
}

// SinceParamOf returns the SinceParam of a *bennu.Endpoint that has a history, for package channeltest.
// Package bennu sets it.
var SinceParamOf func(endpoint any) string

// Of returns the Log of a *history.Log, or nil for nil. Package history sets it, so that the methods which an
// endpoint needs are not exported names of history.
var Of func(log any) Log

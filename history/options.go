package history

import (
	"log/slog"
	"time"
)

// Options configure New. The zero value of a field means its default, but Topics must not be empty.
type Options struct {
	// Store keeps the messages. The Log closes it. Default nil: the memory of this node. That is refused
	// if the PubSub has an adapter, since other nodes would not have the messages.
	Store Store
	// Topics says which topics are kept. The first pattern that matches counts.
	Topics []Topic
	// CacheBytes bounds the messages in the memory of this node that were published or read lately.
	// Default 64 MiB.
	CacheBytes int
	// StoreBytes bounds the default store, with what it needs beside the messages. When it is full, the
	// topics that were used least lately are forgotten, with their keys. At least 64 KiB. Default
	// 256 MiB.
	StoreBytes int
	// PublishTimeout bounds the time for which a broadcast waits for the store, at most 5 min. Default
	// 5 s.
	PublishTimeout time.Duration
	// Check is the time between two questions to the store whether this node has missed a message.
	// Default 30 s.
	Check time.Duration
	// SinceParam is the member of the payload of a join in which a client sends the offset that it has
	// reached. Default "since".
	SinceParam string
	// Logger gets errors and refusals. Default slog.Default().
	Logger *slog.Logger
}

// Topic configures the topics of a pattern: how much of each is kept, and what clients get of it.
type Topic struct {
	// Pattern is a topic, or the beginning of topics with * at its end, as in SocketHandler.Channel.
	Pattern string
	// Size, Bytes and Age bound what is kept of one topic; the first bound that is reached counts.
	// Defaults 1,000 messages, 1 MiB of payloads and 10 min. Size is at most 100,000. A node may keep
	// messages in memory for 30 s longer, and the newest ones, as many as Rewind but at least one, while
	// somebody has joined the topic.
	Size  int
	Bytes int
	Age   time.Duration
	// Rewind is the number of the newest messages that a client gets when it joins without an offset, or is
	// told that it has lost some. Default 0.
	Rewind int
	// MaxReplay bounds the messages that a client may have missed. A client that has missed more is told
	// that it has lost them: for topics where loading anew costs less. Default Size.
	MaxReplay int
	// NoResume keeps the topic for Endpoint.History alone. Clients notice nothing.
	NoResume bool
}

package bennu

import (
	"time"

	"github.com/bennu-go/bennu/internal/option"
)

// Unlimited switches a limit off. Zero is always the default.
const Unlimited = -1

// Limits bound what one connection may use. The zero value is the defaults; Unlimited switches a
// limit off. A number may be up to 2^30, a time up to a year. Limits on the bytes and times of the
// connection itself are options of its transport.
type Limits struct {
	// Topics is the number of topics that one connection may have joined at once, including those
	// that are being left. One more is refused with "too many channels joined". The default is the
	// least of 100, ten times MessageRate if that is set, and half of the messages that may wait
	// for a client, which is an option of its transport.
	Topics int
	// MailboxMessages and MailboxBytes bound the messages that wait for one channel; those of the
	// client and all others are counted separately. When the client's share is full, reading from
	// its connection stops until half of it is handled. When the other share is full, Send returns
	// ErrMailboxFull. An intercepted broadcast, or one of Channel.Subscribe, then ends the channel
	// with phx_error, so that no message is lost silently. In bytes the other share is
	// MailboxBytes, or the queue of a client (an option of its transport) up to 4 MiB if that is
	// more. Defaults 256 and 256 KiB.
	MailboxMessages int
	MailboxBytes    int
	// JoinBurst and JoinRate bound how often Join is called for a connection: JoinBurst times at
	// once, so that a client can join all its topics again, then JoinRate times per second (a token
	// bucket). Further joins are answered with the error "too many joins". JoinBurst is 100 by
	// default, or Topics if that is more, and JoinRate is 20. Unlimited in either switches both
	// off.
	JoinBurst int
	JoinRate  int
	// MessageTokens bounds the JSON values and keys of one message. The message itself has six of
	// them. A message with more is answered with the error "invalid payload"; if it asks for no
	// reply, its channel ends. The bound applies to wire.V1(nil) and wire.V2(nil), which have none
	// of their own. Default 10,000.
	MessageTokens int
	// MessageRate bounds the messages of a connection per second. A client that sends faster is
	// read more slowly, and closed with 1008 if it has not slowed down after 10 s. Default: no
	// limit, because a full mailbox slows a client down, too.
	MessageRate int
	// ReplayRate bounds the messages per second that a connection gets from the histories of its
	// topics, until its channels have caught up. As many may come at once. Further ones wait.
	// Default 10,000.
	ReplayRate int
	// ConnectTimeout is how long the context of Connect lasts. If Connect then returns an error
	// other than ErrRefused, the answer is 503. Default 5 s.
	ConnectTimeout time.Duration
	// JoinTimeout is how long Join may take. After that the client gets the error "join crashed",
	// the connection stays open, and the result of Join is discarded. Default 10 s.
	JoinTimeout time.Duration
	// LateCallbacks is the number of callbacks and goroutines of Channel.Go of one connection that
	// may run on after their channels have ended. When it is reached, joins of topics that have one
	// of them are refused with "busy" until some have returned. When LateCallbacks plus Topics of
	// them run on, all joins of the connection are refused. Default 100.
	LateCallbacks int
	// HandlerGrace is how long a callback may run on after its channel has ended before it is
	// counted and logged with its stack. For Renew it counts from the end of the connection, for
	// Connect from that of its context. Default 10 s.
	HandlerGrace time.Duration
}

// Defaults that relate uses, too.
const (
	defaultTopics    = 100
	defaultJoinBurst = 100
)

// withDefaults returns the effective limits: unlimited ones are the largest value.
func (l Limits) withDefaults() Limits {
	l.Topics = limit(l.Topics, defaultTopics)
	l.MailboxMessages = limit(l.MailboxMessages, 256)
	l.MailboxBytes = limit(l.MailboxBytes, 256<<10)
	if l.JoinBurst == 0 {
		l.JoinBurst = defaultJoinBurst
	}
	switch {
	case l.JoinRate == 0:
		l.JoinRate = 20
	case l.JoinRate < 0:
		l.JoinBurst = Unlimited
	}
	l.ReplayRate = limit(l.ReplayRate, 10_000)
	l.ConnectTimeout = limit(l.ConnectTimeout, 5*time.Second)
	l.JoinTimeout = limit(l.JoinTimeout, 10*time.Second)
	l.LateCallbacks = limit(l.LateCallbacks, 100)
	l.HandlerGrace = limit(l.HandlerGrace, 10*time.Second)
	return l
}

// check returns an error for limits that cannot work, or nil.
func (l *Limits) check() error {
	c := option.Checker{Of: "Limits."}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"Topics", l.Topics}, {"MailboxMessages", l.MailboxMessages}, {"MailboxBytes", l.MailboxBytes},
		{"JoinBurst", l.JoinBurst}, {"JoinRate", l.JoinRate}, {"MessageTokens", l.MessageTokens},
		{"MessageRate", l.MessageRate}, {"LateCallbacks", l.LateCallbacks},
		{"ReplayRate", l.ReplayRate},
	} {
		c.Count(n.name, n.value, 0, option.MaxCount)
	}
	c.Duration("ConnectTimeout", l.ConnectTimeout, 0, option.MaxDuration)
	c.Duration("JoinTimeout", l.JoinTimeout, 0, option.MaxDuration)
	c.Duration("HandlerGrace", l.HandlerGrace, 0, option.MaxDuration)
	return c.Err
}

// limit returns def for zero and the largest value for a negative number.
func limit[T ~int | ~int64](v, def T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return T(^uint(0) >> 1)
	}
	return v
}

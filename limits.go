package bennu

import (
	"time"

	"github.com/bennu-go/bennu/internal/option"
)

// Unlimited switches a limit off. Zero is always the default.
const Unlimited = -1

// Limits bound what one connection may ask of a socket. The zero value is the defaults;
// Unlimited switches one off. A number may be up to 2^30, a time up to a year. The limits on
// bytes and time of the connection itself are options of its transport.
type Limits struct {
	// Topics is the number of topics joined at once by one connection, those
	// being left included. One more is refused with "too many channels joined".
	// Default 100, or ten times MessageRate if that is less, or half of the messages
	// that may wait for a client, by the options of a transport.
	Topics int
	// MailboxMessages and MailboxBytes bound what waits for one channel. When a
	// client has sent that much, reading from its connection stops until half is
	// handled; when messages from elsewhere pass it, Send says so, and an
	// intercepted broadcast ends the channel with phx_error, so that no
	// message is lost in silence. Defaults 256 and 256 KiB.
	MailboxMessages int
	MailboxBytes    int
	// JoinBurst and JoinRate bound how often Join is called for a connection: JoinBurst
	// times at once, so that a client can join all its topics again, and JoinRate
	// times more in each second after. One too many is answered with the error "too
	// many joins". Defaults 100, or Topics if that is more, and 20; Unlimited in one takes both away.
	JoinBurst int
	JoinRate  int
	// MessageTokens bounds the JSON values and keys of one message, of which the message
	// itself has six. A message with more is answered with the error "invalid payload", or
	// with the end of its channel when it asks for no reply. It applies to wire.V1 and wire.V2 where they
	// have no bound of their own. Default 10,000.
	MessageTokens int
	// MessageRate bounds the messages of a connection in a second. A client that sends
	// faster is read more slowly, and closed with 1008 when it has not
	// slowed down after 10 s. Default: no limit, because a full mailbox slows it down
	// as well.
	MessageRate int
	// ConnectTimeout is how long the context of Connect lasts. An error that Connect
	// returns because of its end is answered with 503. Default 5 s.
	ConnectTimeout time.Duration
	// JoinTimeout is how long Join may take. Then the client gets the error
	// "join crashed" and the connection goes on; what Join returns is
	// discarded. Default 10 s.
	JoinTimeout time.Duration
	// LateCallbacks is how many callbacks and goroutines of Channel.Go may run on, for one
	// connection, after their channels have ended. Then its joins of the topics that have one
	// are refused with "busy" until some have returned; with as many more as there may be
	// Topics, all joins are. Default 100.
	LateCallbacks int
	// HandlerGrace is how long a callback may run on after its channel has
	// ended before it is logged with its stack and counted; a Renew after its connection
	// has ended, and a Connect after its context. Default 10 s.
	HandlerGrace time.Duration
}

// Defaults that relate looks at.
const (
	defaultTopics    = 100
	defaultJoinBurst = 100
)

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
	l.ConnectTimeout = limit(l.ConnectTimeout, 5*time.Second)
	l.JoinTimeout = limit(l.JoinTimeout, 10*time.Second)
	l.LateCallbacks = limit(l.LateCallbacks, 100)
	l.HandlerGrace = limit(l.HandlerGrace, 10*time.Second)
	return l
}

// check says what is wrong with limits that cannot be meant.
func (l *Limits) check() error {
	c := option.Checker{Of: "Limits."}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"Topics", l.Topics}, {"MailboxMessages", l.MailboxMessages}, {"MailboxBytes", l.MailboxBytes},
		{"JoinBurst", l.JoinBurst}, {"JoinRate", l.JoinRate}, {"MessageTokens", l.MessageTokens},
		{"MessageRate", l.MessageRate}, {"LateCallbacks", l.LateCallbacks},
	} {
		c.Count(n.name, n.value, 0, option.MaxCount)
	}
	c.Duration("ConnectTimeout", l.ConnectTimeout, 0, option.MaxDuration)
	c.Duration("JoinTimeout", l.JoinTimeout, 0, option.MaxDuration)
	c.Duration("HandlerGrace", l.HandlerGrace, 0, option.MaxDuration)
	return c.Err
}

// limit resolves zero to the default and anything negative to the largest value.
func limit[T ~int | ~int64](v, def T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return T(^uint(0) >> 1)
	}
	return v
}

package bennu

import "time"

// Unlimited, written out, takes a limit away. Zero is always the default.
const Unlimited = -1

// Limits bound what one connection may ask of a socket. The zero value is the
// defaults; Unlimited turns one off. Limits on bytes and time of the connection itself
// are options of its transport.
type Limits struct {
	// Topics is the number of topics joined at once by one connection, those
	// being left included. One more is refused with "too many channels joined".
	// Default 100.
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
	// many joins". Defaults 100 and 20; Unlimited in one takes both away.
	JoinBurst int
	JoinRate  int
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
	// HandlerGrace is how long a callback may run on after its channel has
	// ended before it is logged with its stack and counted. Default 10 s.
	HandlerGrace time.Duration
}

func (l Limits) withDefaults() Limits {
	l.Topics = limit(l.Topics, 100)
	l.MailboxMessages = limit(l.MailboxMessages, 256)
	l.MailboxBytes = limit(l.MailboxBytes, 256<<10)
	if l.JoinBurst == 0 {
		l.JoinBurst = 100
	}
	switch {
	case l.JoinRate == 0:
		l.JoinRate = 20
	case l.JoinRate < 0:
		l.JoinBurst = Unlimited
	}
	l.ConnectTimeout = limit(l.ConnectTimeout, 5*time.Second)
	l.JoinTimeout = limit(l.JoinTimeout, 10*time.Second)
	l.HandlerGrace = limit(l.HandlerGrace, 10*time.Second)
	return l
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

package natspubsub

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// faults is what NATS has complained of. It does so after the fact, and the client hands it
// on in a goroutine of its own.
type faults struct {
	mu       sync.Mutex
	seen     error         // the last one that was handed on
	news     chan struct{} // closed, and made anew, with each
	limits   int           // how often there were too many subscriptions
	settled  int           // of these, those whose subscriptions are known
	question string        // the channel of a question that waits for its answer
	no       error         // which is this
}

// stragglers is how long to wait for complaints where there is no barrier. One that comes
// later makes the link subscribe anew.
const stragglers = 20 * time.Millisecond

func (f *faults) init() { f.news = make(chan struct{}) }

// settle waits until everything that NATS complained of so far was handed on. It reports false
// if that cannot be seen.
func (l *link) settle(ctx context.Context, conn *nats.Conn) (sure bool) {
	f := &l.faults
	for {
		f.mu.Lock()
		seen, news := f.seen, f.news
		f.mu.Unlock()
		// It is asked for after that: it may be handed on from now on, and news tells.
		last := conn.LastError()
		switch {
		case errors.Is(last, nats.ErrMaxSubscriptionsExceeded), errors.Is(last, nats.ErrSlowConsumer):
			// Complaints of these kinds are all the same: whether the last one was handed on
			// cannot be seen.
			if l.barrier.wait(ctx, conn) {
				return true
			}
			straggle(ctx)
			if l.barrier.dropped() {
				l.tasks.start(l.sortOut)
			}
			return false
		case seen == last, !errors.Is(last, nats.ErrPermissionViolation):
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}

func straggle(ctx context.Context) {
	pause := time.NewTimer(stragglers)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}

func (f *faults) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = err
	close(f.news)
	f.news = make(chan struct{})
}

// limitHits counts the subscriptions that were too many.
func (f *faults) limitHits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.limits
}

// limitKnown notes that it is known which subscriptions so many complaints are about, or
// with forget that it does not matter any more.
func (f *faults) limitKnown(hits int, forget bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.settled += hits; forget {
		f.settled = f.limits
	}
}

// overLimit reports whether there were too many subscriptions, and it is not known which.
func (f *faults) overLimit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.limits != f.settled
}

// subject finds what a complaint is about.
var subject = regexp.MustCompile(`(?i)(Subscription|Publish) to "(\S+?)"`)

// fault takes what NATS complains of.
func (l *link) fault(_ *nats.Conn, sub *nats.Subscription, err error) {
	switch {
	case sub != nil && sub.Subject == l.barrier.subject:
		l.barrier.pass(sub)
	case errors.Is(err, nats.ErrSlowConsumer): // messages are gone
		l.events.Dropped(cause(err))
	case errors.Is(err, nats.ErrMaxSubscriptionsExceeded):
		l.tooMany()
	case errors.Is(err, nats.ErrPermissionViolation):
		if m := subject.FindStringSubmatch(err.Error()); m != nil && m[2] != l.barrier.subject {
			l.forbidden(strings.EqualFold(m[1], "publish"), m[2], err)
		}
	case barred(err):
		l.events.Refused(&cluster.Refusal{Cause: l.explain(err)})
	}
	l.faults.add(err)
}

// barred reports whether NATS does not let this user in.
func barred(err error) bool {
	for _, one := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrPermissionViolation} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// forbidden follows a lack of permission.
func (l *link) forbidden(publish bool, channel string, err error) {
	cause := l.grant(publish, channel, err)
	if !publish {
		if l.subs.refused(channel, cause) {
			l.events.Refused(&cluster.Refusal{Channels: []string{channel}, Cause: cause})
		}
		return
	}
	f := &l.faults
	f.mu.Lock()
	asked := f.question == channel
	if asked {
		f.no = cause
	}
	f.mu.Unlock()
	if !asked {
		l.events.Unsent(channel, cause)
	}
}

// grant says what is missing. It keeps the words that NATS has for it.
func (l *link) grant(publish bool, channel string, err error) error {
	what := "subscribe to"
	if publish {
		what = "publish to"
	}
	return fmt.Errorf("natspubsub: NATS does not let this user %s %q (%w): may this user publish and subscribe to everything below the prefix? allow both for %q", what, channel, err, l.prefix+".>")
}

// limitCause says that there are too many subscriptions.
func (l *link) limitCause(channel string) error {
	return fmt.Errorf("natspubsub: NATS does not let this connection subscribe to %q (%w); raise max_subscriptions of the server, or the limit of the account or user, to six more than the topics of a node", channel, nats.ErrMaxSubscriptionsExceeded)
}

// tooMany follows a subscription that was one too many. Subscribe finds out which; at any
// other time everything is asked for again.
func (l *link) tooMany() {
	l.faults.mu.Lock()
	l.faults.limits++
	l.faults.mu.Unlock()
	l.subs.mu.Lock()
	asking := l.subs.asking != nil
	l.subs.mu.Unlock()
	if !asking {
		l.tasks.start(l.sortOut)
	}
}

// sortOut asks for everything again when it is not known which subscriptions were too many, or
// could not be known the next time.
func (l *link) sortOut() {
	if !l.take(context.Background()) {
		return
	}
	defer l.give()
	conn := l.conn.Load()
	if !l.unsure() || !conn.IsConnected() {
		return // it is known by now, or will be when the connection is back
	}
	why := nats.ErrMaxSubscriptionsExceeded
	if !l.faults.overLimit() {
		why = nats.ErrTimeout
	}
	if !l.subscribeAnew() {
		renew(conn, l.reconnects)
	}
	l.events.Dropped(cause(why))
}

// unsure reports whether everything is to be asked for again.
func (l *link) unsure() bool {
	return l.faults.overLimit() || l.subs.lacks() || l.barrier.dropped()
}

// mayPublish asks whether NATS lets this user publish to a channel.
func (l *link) mayPublish(ctx context.Context, m cluster.Outgoing) error {
	f, conn := &l.faults, l.conn.Load()
	f.mu.Lock()
	f.question, f.no = m.Channel, nil
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.question = ""
		f.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	if conn.Publish(m.Channel, m.Data) != nil || conn.FlushWithContext(ctx) != nil {
		return cluster.ErrAway
	}
	l.settle(ctx, conn)
	f.mu.Lock()
	cause := f.no
	f.mu.Unlock()
	if cause == nil {
		return nil
	}
	return &cluster.Refusal{Channels: []string{m.Channel}, Cause: cause}
}

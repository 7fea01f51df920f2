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

// faults keeps count of the errors that NATS has sent. NATS sends an error about a subscription or a
// message some time later, and the client library passes it to an error handler in a goroutine of its
// own.
type faults struct {
	mu       sync.Mutex
	seen     error         // the last error that the handler got
	news     chan struct{} // closed, and replaced, with each error
	limits   int           // number of errors about too many subscriptions
	settled  int           // of these, the errors for which the refused subscription is known
	question string        // channel to which mayPublish has published
	no       error         // the error about question; nil if there is none
}

// stragglers is the time to wait for errors if the barrier does not work. An error that comes later makes
// the link subscribe to everything again.
const stragglers = 20 * time.Millisecond

// init makes the channel.
func (f *faults) init() { f.news = make(chan struct{}) }

// settle waits until the handler got all errors that NATS has sent so far. It returns false if it cannot
// know.
func (l *link) settle(ctx context.Context, conn *nats.Conn) (sure bool) {
	f := &l.faults
	for {
		f.mu.Lock()
		seen, news := f.seen, f.news
		f.mu.Unlock()
		// Read after news: if the handler gets the error from now on, it closes news.
		last := conn.LastError()
		switch {
		case errors.Is(last, nats.ErrMaxSubscriptionsExceeded), errors.Is(last, nats.ErrSlowConsumer):
			// Errors of these kinds are equal, so comparing does not show whether the handler
			// got the last one.
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

// straggle waits for late errors.
func straggle(ctx context.Context) {
	pause := time.NewTimer(stragglers)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}

// add records an error that the handler got, and wakes settle.
func (f *faults) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = err
	close(f.news)
	f.news = make(chan struct{})
}

// limitHits returns the number of errors about too many subscriptions.
func (f *faults) limitHits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.limits
}

// limitKnown records that the refused subscriptions are known for so many errors, or, if forget is true,
// that those of all errors so far do not matter any more.
func (f *faults) limitKnown(hits int, forget bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.settled += hits; forget {
		f.settled = f.limits
	}
}

// overLimit reports whether NATS has refused subscriptions over its limit, and it is not known which.
func (f *faults) overLimit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.limits != f.settled
}

// subject matches the subject in the text of an error, which has no other form of it.
var subject = regexp.MustCompile(`(?i)(Subscription|Publish) to "(\S+?)"`)

// fault is the error handler of the client library, which calls it in one goroutine, for one error after
// the other.
func (l *link) fault(_ *nats.Conn, sub *nats.Subscription, err error) {
	switch {
	case sub != nil && sub.Subject == l.barrier.subject:
		l.barrier.pass(sub)
	case errors.Is(err, nats.ErrSlowConsumer): // the library has dropped messages
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

// barred reports whether an error means that NATS refuses this user.
func barred(err error) bool {
	for _, one := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrPermissionViolation} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// forbidden handles an error about a missing permission.
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

// grant returns an error that says which permission is missing, with the text of NATS.
func (l *link) grant(publish bool, channel string, err error) error {
	what := "subscribe to"
	if publish {
		what = "publish to"
	}
	return fmt.Errorf("natspubsub: NATS does not let this user %s %q (%w): may this user publish and subscribe to everything below the prefix? allow both for %q", what, channel, err, l.prefix+".>")
}

// limitCause returns an error that says how to raise the limit on subscriptions.
func (l *link) limitCause(channel string) error {
	return fmt.Errorf("natspubsub: NATS does not let this connection subscribe to %q (%w); raise max_subscriptions of the server, or the limit of the account or user, to six more than the topics of a node", channel, nats.ErrMaxSubscriptionsExceeded)
}

// tooMany handles an error about too many subscriptions, which does not name the subscription. While
// Subscribe runs, it finds out which one was refused. Otherwise the link subscribes to everything again.
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

// sortOut subscribes to everything again if it is not known which subscriptions were refused, or if the
// barrier was dropped. The order of the new subscriptions is known, so it is then known which are refused.
func (l *link) sortOut() {
	if !l.take(context.Background()) {
		return
	}
	defer l.give()
	conn := l.conn.Load()
	if !l.unsure() || !conn.IsConnected() {
		return // the refused ones are known by now, or returned will subscribe again
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

// unsure reports whether the link has to subscribe to everything again.
func (l *link) unsure() bool {
	return l.faults.overLimit() || l.subs.lacks() || l.barrier.dropped()
}

// mayPublish publishes a question, and waits to see whether NATS refuses it. The error is a Refusal if this
// user may not publish to the channel.
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

package natshistory

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/natsdial"
)

// link is the connection to NATS. The client library connects again by itself. Requests do not wait in
// the library while it does, so that whoever sends one knows whether it has left: an append that has
// certainly not left may be refused with ErrUnavailable.
type link struct {
	url, servers string
	prefix       string
	timeout      time.Duration // of an attempt to connect
	options      []nats.Option

	mu     sync.Mutex
	conn   *nats.Conn
	closed bool
	// alive ends when answers under way may never come: the connection is lost, or NATS has refused
	// something. Then there is a new one.
	alive  context.Context
	kill   context.CancelFunc
	losses uint64  // of connections
	no     *denial // the last one
}

// denial is an error of NATS about a missing permission.
type denial struct {
	publish bool   // to publish; otherwise to subscribe, which only answers need
	subject string // the one that NATS has named
	text    string // the whole error, for the program
}

var (
	// errUnsent means that a request has certainly not reached a stream.
	errUnsent = errors.New("the request was not sent")
	// errNobody means that NATS knows no receiver: no stream, or no leader of it.
	errNobody = errors.New("nothing at NATS listens to")
	// errUnanswered means that an answer did not come.
	errUnanswered = errors.New("NATS does not answer")
	// errDenied means that a permission is missing, so that a request was not carried out.
	errDenied = errors.New("a permission is missing")
)

// answerTime bounds the wait for one answer. Whoever waits tries again, while its context allows.
const answerTime = 2 * time.Second

func newLink(url, servers, prefix string, timeout time.Duration, options []nats.Option) *link {
	l := &link{url: url, servers: servers, prefix: prefix, timeout: timeout, options: options}
	l.alive, l.kill = context.WithCancel(context.Background())
	return l
}

// open makes the first connection. Unlike later ones it is not tried again: an address that is wrong at
// the start is an error of New.
func (l *link) open(ctx context.Context) error {
	connected := make(chan error, 1)
	go func() { connected <- l.connect() }()
	// nats.Connect takes no context, so the wait is here. It ends by itself.
	select {
	case err := <-connected:
		return err
	case <-ctx.Done():
		l.close()
		<-connected
		return fmt.Errorf("connect to NATS at %s: %w", l.servers, context.Cause(ctx))
	}
}

// connect makes a connection, which the library renews until it is closed or fails for good.
func (l *link) connect() error {
	conn, err := nats.Connect(l.url, append([]nats.Option{
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectToServer(new(natsdial.Rounds).Next),
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { l.lost() }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { l.fault(err) }),
	}, l.options...)...)
	if err != nil && strings.Contains(err.Error(), "route port") { // the library has no value for it
		return fmt.Errorf("%s is the port for other servers (%w); the servers that natspubsub embeds have no JetStream, and history needs NATS servers of its own with JetStream on", l.servers, err)
	}
	if err != nil {
		return natsdial.Explain(l.servers, err, errLogin)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		conn.Close()
		return errUnsent
	}
	l.conn = conn
	return nil
}

// lost wakes those who wait for answers of a connection that has ended. The answers do not come any more: the
// inboxes are those of the old connection.
func (l *link) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losses++
	l.wakeLocked()
}

// wakeLocked ends the wait for all answers under way. l.mu is held.
func (l *link) wakeLocked() {
	l.kill()
	l.alive, l.kill = context.WithCancel(context.Background())
}

// denied matches the subject in an error about a permission, which has no other form of it.
var denied = regexp.MustCompile(`(?i)(Subscription|Publish) to "(\S+?)"`)

// fault is the error handler of the client library. NATS tells a missing permission only by an error of the
// connection, which names the subject and not the request. So all who wait look whether it was theirs.
func (l *link) fault(err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	if m := denied.FindStringSubmatch(err.Error()); m != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.no = &denial{strings.EqualFold(m[1], "publish"), m[2], err.Error()}
		l.wakeLocked()
	}
}

// refused returns an error if NATS has lately refused a request to a subject, or all answers. An error
// about one request is returned once, to the one that waits for it.
func (l *link) refused(subject string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch no := l.no; {
	case no == nil:
	case no.publish && no.subject == subject:
		l.no = nil // so that the next one asks again
		return fmt.Errorf("%w: NATS does not let this user publish to %q (%s); the documentation of natshistory lists what a node needs", errDenied, subject, no.text)
	case !no.publish:
		return fmt.Errorf("%w: NATS does not let this user subscribe to %q (%s); the documentation of natshistory lists what a node needs", errDenied, no.subject, no.text)
	}
	return nil
}

// use returns the connection, and a context that ends with it. If the library has given it up, for
// instance after a message that is too large, use connects again.
func (l *link) use() (conn *nats.Conn, alive context.Context, err error) {
	for {
		l.mu.Lock()
		conn, alive, closed := l.conn, l.alive, l.closed
		l.mu.Unlock()
		switch {
		case closed:
			return nil, nil, errUnsent
		case !conn.IsClosed():
			return conn, alive, nil
		}
		if err := l.connect(); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errUnsent, err)
		}
	}
}

// atLeast reports whether the server has a version or a later one. It is asked of the server to which
// the node is connected; others of the cluster may be older while it is upgraded.
func (l *link) atLeast(major, minor int) bool {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	var a, b int
	_, err := fmt.Sscanf(conn.ConnectedServerVersion(), "%d.%d", &a, &b)
	return err == nil && (a > major || a == major && b >= minor)
}

// generation changes when the connection is lost. What was known of the stream before is doubtful after that:
// the servers may have changed their leader, and lost a tail.
func (l *link) generation() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.losses
}

// request sends a message and returns the answer. The error is nats.ErrMaxPayload, wraps errUnsent or
// errDenied, or is errUnanswered: then the request may have been carried out, or be so later.
func (l *link) request(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	conn, alive, err := l.use()
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", errUnsent, context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	defer context.AfterFunc(alive, cancel)()
	answer, err := conn.RequestMsgWithContext(ctx, m)
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, nats.ErrMaxPayload):
		return nil, nats.ErrMaxPayload
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("%w: %w %q", errUnsent, errNobody, m.Subject)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected): // perhaps before it was sent
		if err := l.refused(m.Subject); err != nil {
			return nil, err
		}
		return nil, errUnanswered
	}
	return nil, fmt.Errorf("%w: %w", errUnsent, err)
}

// close ends the connection. Requests that wait for answers return an error; later ones are not sent.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.kill()
	if l.conn != nil {
		l.conn.Close()
	}
}

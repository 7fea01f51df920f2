package client

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/clientwire"
	"github.com/bennu-go/bennu/internal/task"
	"github.com/bennu-go/bennu/wire"
)

// flushTime bounds how long Close waits for what is waiting to be sent.
const flushTime = 1500 * time.Millisecond

// A Socket is a connection to a server that keeps itself alive, with the channels on
// it. Make one with [Dial] or [New].
type Socket struct {
	opts       *Options
	base       *url.URL // the mount, of the scheme http or https
	serializer clientwire.Serializer

	// ctx ends with the socket. It bounds everything that waits.
	ctx    context.Context
	cancel context.CancelCauseFunc
	tasks  task.Group
	done   chan struct{} // closed by end
	first  chan error    // how the first attempt to connect went; holds one

	// mu guards what follows and all of the socket's channels and links. Nothing that a
	// program gave is called with it held.
	mu       sync.Mutex
	started  bool
	closing  bool
	err      error // why the socket ended
	link     *link // the open connection
	opened   chan struct{}
	attempt  error // why the last attempt to connect failed
	refs     uint64
	topics   map[string][]*Channel // those that were joined and have not ended
	waiting  map[string]*waiter    // for replies to no push of a channel, by ref
	buffered count                 // what waits to be sent, everywhere
	hooks    []*hook
	messages mailbox // for hooks
	states   mailbox // for Trace.State
}

// New checks the URL and the options and returns a socket that is not connected.
//
// The URL is that of the socket's mount, such as "wss://example.com/socket", with the scheme
// ws, wss, http or https, which for each transport is made into the one it needs. A
// last part "/websocket" or "/longpoll" is taken off. It may have a query.
func New(rawURL string, opts *Options) (*Socket, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	base, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	s := &Socket{
		opts: o, base: base, serializer: clientwire.V2{},
		done: make(chan struct{}), first: make(chan error, 1), opened: make(chan struct{}),
		topics: map[string][]*Channel{},
	}
	if o.Version == V1 {
		s.serializer = clientwire.V1{}
	}
	s.messages = mailbox{socket: s, handle: s.runHooks}
	s.states = mailbox{socket: s, handle: s.traceState}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s, nil
}

// Dial makes a socket, and connects it. When the first attempt fails it returns why,
// as a [*ConnectError], and no socket: use [New], [Socket.Connect] and [Socket.Open] to
// wait for a server that is not there yet. ctx is for the attempt alone.
func Dial(ctx context.Context, rawURL string, opts *Options) (*Socket, error) {
	s, err := New(rawURL, opts)
	if err != nil {
		return nil, err
	}
	s.Connect()
	select {
	case err = <-s.first:
	case <-s.done: // a function of opts has ended the goroutine that connects
		err = s.Err()
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Connect starts connecting in the background, and goes on for as long as the socket
// lives. It has no effect on one that was started or closed.
func (s *Socket) Connect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.closing {
		return
	}
	s.started = true
	s.tasks.Go(s.run)
}

// Open waits until the socket is open. The error is why it ended, or the cause of
// ctx, together with why the last attempt failed.
func (s *Socket) Open(ctx context.Context) error {
	for {
		s.mu.Lock()
		opened, open := s.opened, s.link != nil
		s.mu.Unlock()
		select {
		case <-s.done:
			return s.Err()
		default:
		}
		if open {
			return nil
		}
		select {
		case <-opened:
		case <-s.done:
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.attempt != nil {
				return fmt.Errorf("client: socket is not open: %w; the last attempt: %w", context.Cause(ctx), s.attempt)
			}
			return fmt.Errorf("client: socket is not open: %w", context.Cause(ctx))
		}
	}
}

// Done is closed when the socket has ended for good: it was closed, or the server closed
// it with the code 1000.
func (s *Socket) Done() <-chan struct{} { return s.done }

// Err is nil until Done is closed, then [ErrClosed] or a [*CloseError].
func (s *Socket) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// endedLocked is why a socket takes nothing more.
func (s *Socket) endedLocked() error {
	if s.err != nil {
		return s.err
	}
	return ErrClosed
}

// Close ends the socket: it waits up to 1.5 s for what is waiting to be sent, closes the
// connection with the code 1000, for which the server has 2 s to answer, and returns when
// every goroutine of the socket has ended. Channels are closed with [ErrClosed], and so is what waits for replies. A callback
// that runs is waited for, so callbacks must not call Close. Close returns nil; it may be
// called again.
func (s *Socket) Close() error {
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	if first && !s.started {
		s.mu.Unlock()
		s.end(ErrClosed)
		s.mu.Lock()
	}
	l := s.link
	var flushed <-chan struct{}
	if l != nil {
		flushed = l.flushedLocked()
	}
	s.mu.Unlock()
	if first && l != nil {
		timer := time.NewTimer(flushTime)
		select {
		case <-flushed:
		case <-timer.C:
		case <-s.done:
		}
		timer.Stop()
		l.fail(ErrClosed, closeNormal, "")
	}
	s.cancel(ErrClosed)
	return s.tasks.Wait(context.Background())
}

// end is the last thing that happens to a socket before its callbacks.
func (s *Socket) end(err error) {
	s.cancel(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	s.err = err
	for _, list := range s.topics {
		for _, ch := range append([]*Channel(nil), list...) {
			ch.closeLocked(err)
		}
	}
	close(s.done)
}

// nextRefLocked makes a ref.
func (s *Socket) nextRefLocked() string {
	s.refs++
	return strconv.FormatUint(s.refs, 10)
}

// count is a number of messages and the size of their payloads.
type count struct{ messages, bytes int }

func (c *count) add(p wire.Payload) {
	c.messages++
	c.bytes += len(p.Data)
}

func (c *count) remove(p wire.Payload) {
	c.messages--
	c.bytes -= len(p.Data)
}

// exceeded reports whether one more payload would be too many.
func (c *count) exceeded(p wire.Payload, messages, bytes int) bool {
	return over(c.messages+1, messages) || over(c.bytes+len(p.Data), bytes)
}

// parseURL returns the URL of a mount, with the scheme http or https.
func parseURL(raw string) (*url.URL, error) {
	const how = `write one like "wss://example.com/socket"`
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, fmt.Errorf("client: the URL is malformed: %s", how) // the error would quote it, secrets and all
	}
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "http"
	case "wss", "https":
		u.Scheme = "https"
	default:
		return nil, fmt.Errorf("client: the URL has the scheme %q: %s", u.Scheme, how)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("client: the URL has no host: %s", how)
	}
	u.Fragment, u.RawFragment = "", ""
	path := strings.TrimRight(u.EscapedPath(), "/")
	path = strings.TrimSuffix(strings.TrimSuffix(path, "/websocket"), "/longpoll")
	if u.Path, err = url.PathUnescape(path); err != nil {
		return nil, fmt.Errorf("client: the path of the URL is malformed: %s", how)
	}
	u.RawPath = path
	return u, nil
}

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
)

// flushTime bounds the wait of Close for messages that are not sent yet.
const flushTime = 1500 * time.Millisecond

// A Socket keeps a connection to a server, connects again when it breaks, and carries any number of
// channels. [Dial] and [New] make one.
type Socket struct {
	// One lock, mu, guards the socket with its channels and links; functions whose names end in
	// Locked are called with it held. Neither I/O nor a function of the program runs with it
	// held, so a callback may call any method.
	//
	// All goroutines belong to tasks, for which Close waits: run, which connects and reads as
	// long as the socket lives; one for each link that has something to write; one for each
	// mailbox that has something to handle; and short ones for timers, params and closing.

	opts       *Options
	base       *url.URL // of the mount, with the scheme http or https
	serializer clientwire.Serializer

	// ctx ends with the socket. It bounds everything that waits.
	ctx    context.Context
	cancel context.CancelCauseFunc
	tasks  task.Group
	done   chan struct{} // closed by end
	first  chan error    // of capacity 1: the result of the first attempt to connect

	// mu guards the fields below and all channels and links of the socket. No function of the
	// program is called with it held.
	mu       sync.Mutex
	started  bool
	closing  bool
	err      error // why the socket ended
	link     *link // the open connection
	opened   chan struct{}
	attempt  error // why the last attempt to connect failed
	refs     uint64
	topics   map[string][]*Channel // those that were joined and have not ended
	waiting  map[string]*waiter    // for the replies to heartbeats and leaves, by ref
	buffered count                 // messages of all channels and links that wait to be sent
	states   mailbox               // for Trace.State
}

// New returns a socket that is not connected; see [Socket.Connect]. The error is about the URL or the
// options.
//
// rawURL is the URL of the mount, such as "wss://example.com/socket". Its scheme is ws, wss, http or
// https; ws and http mean the same, as do wss and https. A suffix "/websocket" or "/longpoll" is
// ignored. Its query, if any, is sent before the parameters.
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
	if o.Version == version1 {
		s.serializer = clientwire.V1{}
	}
	s.states = mailbox{socket: s, handle: s.traceState}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s, nil
}

// Dial makes a socket and connects it. If the first attempt fails, Dial returns its error and no
// socket. To wait for a server that is not up yet, use [New], [Socket.Connect] and
// [Socket.Open]. ctx bounds only the first attempt: it may end once Dial has returned.
//
//	socket, err := client.Dial(ctx, "wss://example.com/socket", &client.Options{AuthToken: token})
func Dial(ctx context.Context, rawURL string, opts *Options) (*Socket, error) {
	s, err := New(rawURL, opts)
	if err != nil {
		return nil, err
	}
	s.Connect()
	select {
	case err = <-s.first:
	case <-s.done: // a function of opts called runtime.Goexit
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

// Connect connects in the background, and connects again whenever the connection breaks. It does not
// wait. Further calls have no effect, nor has a call after [Socket.Close].
func (s *Socket) Connect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.closing {
		return
	}
	s.started = true
	s.tasks.Go(s.run)
}

// Open waits until the socket is connected, which needs a call of [Socket.Connect]. The error is that of
// [Socket.Err] if the socket ends, or wraps the cause of ctx and the error of the last attempt.
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

// Done is closed when the socket has ended: it was closed, or the server closed the connection
// with the code 1000.
func (s *Socket) Done() <-chan struct{} { return s.done }

// Err returns nil until Done is closed, then [ErrClosed] or a [*CloseError].
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

// endedLocked is the error of calls on a socket that is closing or has ended.
func (s *Socket) endedLocked() error {
	if s.err != nil {
		return s.err
	}
	return ErrClosed
}

// Close ends the socket: it waits up to 1.5 s for messages that are not sent yet, closes the
// connection with the code 1000 and waits up to 2 s for the server's answer. The channels end with
// [ErrClosed]. Close returns when all goroutines of the socket have ended, callbacks included, so
// a callback must not call it. Further calls wait, too. The error is always nil.
func (s *Socket) Close() error {
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	if first && !s.started { // run, which calls end, was never started
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
		// Messages that were pushed before Close should arrive, but a stalled server must not
		// delay Close for longer than this.
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

// end ends all channels and closes Done. Only callbacks that are queued still run after it.
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

// nextRefLocked makes a ref. All messages of a socket share one counter, as in phoenix.js.
func (s *Socket) nextRefLocked() string {
	s.refs++
	return strconv.FormatUint(s.refs, 10)
}

// A count is a number of messages and the size of their payloads.
type count struct{ messages, bytes int }

// add and remove are called in pairs for each message that waits.
func (c *count) add(p Payload) {
	c.messages++
	c.bytes += len(p.Data)
}

func (c *count) remove(p Payload) {
	c.messages--
	c.bytes -= len(p.Data)
}

// exceeded reports whether one more payload would break one of the bounds.
func (c *count) exceeded(p Payload, messages, bytes int) bool {
	return over(c.messages+1, messages) || over(c.bytes+len(p.Data), bytes)
}

// parseURL returns the URL of a mount with the scheme http or https. Its errors do not quote the URL,
// which may hold secrets.
func parseURL(raw string) (*url.URL, error) {
	const how = `write one like "wss://example.com/socket"`
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, fmt.Errorf("client: the URL is malformed: %s", how)
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

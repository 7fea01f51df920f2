package transporttest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

var draining = []check{
	{
		name: "drain/all",
		law:  "Shutdown closes every connection with 1012, lets callbacks that run answer before that, and refuses new ones with 503",
		body: drain,
	},
	{
		name: "drain/cut",
		law:  "when the context of Shutdown ends, all connections are cut, and Shutdown returns",
		only: stalling,
		body: func(s *suite) {
			s.start(setup{link: transport.LinkOptions{WriteTimeout: time.Hour, MaxQueueBytes: bennu.Unlimited, MaxQueueMessages: bennu.Unlimited}})
			c, p := s.connect()
			s.stuff(c, p)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second/4)
			defer cancel()
			s.ended = true
			if err := s.shutdown(ctx); err == nil {
				s.Errorf("Shutdown returned nil though its context ended first")
			}
			p.end()
			if err := s.shutdown(context.Background()); err != nil {
				s.Errorf("Shutdown: %v", err)
			}
			s.gone()
		},
	},
	{
		name: "drain/listeners",
		law:  "the context of Mount.Go ends when Shutdown begins, before connections are closed; listeners close then, so that nobody connects to a server that goes",
		only: ofLinks,
		body: func(s *suite) {
			s.start(setup{hooks: hooks{channels: true, slow: make(chan struct{})}})
			if !s.watch.listens() {
				s.Skip("not for this transport: it does not listen by itself")
			}
			c, p := s.connect()
			s.join(c)
			c.send(`["1","2","room:blue","slow",{}]`)
			p.received(2)
			done := s.shuttingDown()
			s.until("nobody listens any more, while a connection is open", func() bool {
				c, err := s.dial(Target{})
				if err == nil { // it was faster
					c.Cut()
					return false
				}
				_, refused := errors.AsType[*Refused](err)
				return !refused
			})
			if !p.isOpen() {
				s.Errorf("the connection has ended while a handler runs: %v", p.end())
			}
			close(s.hooks.slow)
			c.rest()
			<-done
		},
	},
}

// shutdown shuts the endpoint down, and fails the check if that does not end.
func (s *suite) shutdown(ctx context.Context) error {
	s.Helper()
	ctx, cancel := context.WithTimeout(ctx, s.patience())
	defer cancel()
	return s.endpoint.Shutdown(ctx)
}

// shuttingDown begins to shut the endpoint down. The channel is closed when that is done.
func (s *suite) shuttingDown() (done chan struct{}) {
	done = make(chan struct{})
	s.ended = true
	go func() {
		defer close(done)
		if err := s.shutdown(context.Background()); err != nil {
			s.Errorf("Shutdown: %v", err)
		}
	}()
	return done
}

// join joins a channel.
func (s *suite) join(c *client) {
	s.Helper()
	c.send(`["1","1","room:blue","phx_join",{}]`)
	if _, data := c.next(); !strings.Contains(string(data), `"ok"`) {
		s.Fatalf("the reply to a join is %s", data)
	}
}

func drain(s *suite) {
	s.start(setup{hooks: hooks{channels: true, slow: make(chan struct{})}})
	n := sized(20)
	clients := make([]*client, n)
	for i := range clients {
		clients[i], _ = s.connect()
		s.join(clients[i])
	}
	for _, c := range clients {
		go func() { _ = c.Send(wire.Text, []byte(`["1","2","room:blue","slow",{}]`)) }()
	}
	s.mu.Lock()
	all := s.all
	s.mu.Unlock()
	for _, p := range all {
		p.received(2)
	}
	done := s.shuttingDown()
	s.until("Shutdown has begun", func() bool {
		c, err := s.dial(Target{})
		if err == nil { // it was faster
			c.Cut()
		}
		if refused, ok := errors.AsType[*Refused](err); ok && refused.Status != 503 && (s.HTTP || refused.Status != 0) {
			s.Errorf("during Shutdown a client was refused with status %d, want 503", refused.Status)
		}
		return err != nil
	})
	close(s.hooks.slow)
	for i, c := range clients {
		_, data := c.next()
		if got := string(data); !strings.Contains(got, "phx_reply") || !strings.Contains(got, `"2"`) {
			s.Fatalf("client %d got %s, want the reply to its push", i, got)
		}
		c.closed(transport.CloseRestart)
	}
	<-done
}

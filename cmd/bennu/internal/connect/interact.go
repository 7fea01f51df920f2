package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/bennu-go/bennu/client"
)

// errQuit ends a session.
var errQuit = errors.New("quit")

// interact runs a session at a terminal.
func interact(ctx context.Context, s *session, in, out *os.File, joins []line) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t, err := openTerminal(in, out, cancel)
	if err != nil {
		return fmt.Errorf("the terminal cannot be used: %w", err)
	}
	defer t.close() // also when something panics
	s.life = ctx
	s.rescue = t.rescue
	s.refused = make(chan string, 16)
	s.print.redirect(t)
	t.AutoCompleteCallback = (&completer{topics: s.topicNames, left: s.leftNames, events: s.eventNames, show: s.print.answer}).complete

	s.print.answer("  " + s.print.paint(dim, "help lists the commands, Ctrl+D ends") + "\n")
	if err := s.open(); err != nil {
		return err
	}
	defer s.end()
	for _, l := range joins {
		if err := s.do(ctx, l); err != nil {
			s.print.complain("%s", s.target.explain(err))
		}
	}
	ask, typed := make(chan struct{}), make(chan input, 1)
	// A read from a terminal cannot be interrupted. If the session ends during one, this goroutine
	// ends with the process.
	go func() {
		defer t.rescue()
		for range ask {
			text, err := t.ReadLine()
			if errors.Is(err, term.ErrPasteIndicator) {
				err = nil
			}
			typed <- input{text, err}
		}
	}()
	defer close(ask)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		t.SetPrompt(s.prompt())
		ask <- struct{}{}
		for waiting := true; waiting; {
			select {
			case l := <-typed:
				waiting = false
				if l.err != nil {
					t.abandon(s.print)
					return endOfInput(l.err)
				}
				if err := s.typed(ctx, l.text, t.width()); errors.Is(err, errQuit) {
					return nil
				}
			case <-tick.C:
				s.sweep()
			case topic := <-s.refused:
				s.giveUp(topic)
				t.SetPrompt(s.prompt())
				s.print.complain("%s is left, since it was not let in", topic)
			case <-ctx.Done():
				t.abandon(s.print)
				return nil
			}
		}
	}
}

// input is a typed line, or the end of the input.
type input struct {
	text string
	err  error
}

func endOfInput(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// prompt shows the current topic.
func (s *session) prompt() string { return s.print.paint(bold, escape(s.current)+"> ") }

// typed executes a line, or prints the mistake in it.
func (s *session) typed(ctx context.Context, text string, width int) error {
	l, err := parseLine(text, s.joined)
	if bad, ok := errors.AsType[*typo](err); ok {
		s.print.wrong(bad.show(s.print.palette, width))
		return nil
	}
	if err = s.do(ctx, l); err != nil && !errors.Is(err, errQuit) {
		s.print.complain("%s", s.target.explain(err))
		return nil
	}
	return err
}

// do executes a line, and does not wait for the server.
func (s *session) do(ctx context.Context, l line) error {
	// An error reply is shown as a frame, and a disconnect by the user is not an error.
	later := func(err error) {
		_, answered := errors.AsType[*client.ReplyError](err)
		if err != nil && !answered && !errors.Is(err, client.ErrClosed) && ctx.Err() == nil {
			s.print.complain("%s: %s", strings.TrimSpace(l.verb+" "+l.topic), s.target.explain(err))
		}
	}
	switch l.verb {
	case "join":
		r, err := s.enter(l.topic, l.payload)
		if err != nil {
			return err
		}
		if err = r.join(); err == nil {
			s.waits("the join", r.channel)
		}
		return err
	case "leave":
		return s.leave(l.topic, later)
	case "use":
		r, err := s.find(l.topic)
		if err == nil {
			s.current = r.topic
		}
		return err
	case "push":
		ch, err := s.channel(l.topic)
		if err != nil {
			return err
		}
		if err = ch.Send(l.event, payloadValue(l.payload)); err == nil {
			s.waits(l.event, ch)
		}
		return err
	case "heartbeat":
		if !s.alive() {
			return errDisconnected
		}
		socket := s.socket
		s.start(func() { later(s.heartbeat(ctx, socket)) })
	default:
		return s.local(l)
	}
	return nil
}

// waits tells the user that a push or a join waits for the connection.
func (s *session) waits(what string, ch *client.Channel) {
	until := ""
	switch {
	case s.isDown():
		until = "there is a connection"
	case ch.State() == client.StateErrored:
		until = ch.Topic() + " is joined again"
	default:
		return
	}
	s.print.answer("  " + s.print.paint(yellow, escape(what+" waits until "+until)) + "\n")
}

// local executes the commands that need no answer from the server.
func (s *session) local(l line) error {
	switch l.verb {
	case "who":
		return s.who(l.topic)
	case "topics":
		s.topics()
	case "help":
		s.print.answer(usage())
	case "disconnect":
		if s.socket == nil {
			return errDisconnected
		}
		s.end()
	case "reconnect":
		return s.reopen()
	case "quit":
		return errQuit
	}
	return nil
}

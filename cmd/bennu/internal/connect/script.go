package connect

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
)

// A script is a session without a prompt. It waits for each answer, and ends with an exit code.
type script struct {
	*session
	joins, pushes []line
	in            io.Reader // lines to execute, or nil
	count         int       // events to wait for, or 0
	length        time.Duration
	noWait        bool // for the replies to pushes
	code          int  // of the first error
}

const (
	maxLine     = 1 << 20 // bytes of a line of standard input
	scriptWidth = 100     // columns in which a typing error is shown
)

func (s *script) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.life, s.session.script = ctx, true
	if s.count > 0 {
		s.events = make(chan struct{}, s.count)
	}
	if err := s.open(); err != nil {
		return err
	}
	err := s.connected(ctx)
	if err == nil {
		s.work(ctx)
	} else {
		s.failed(line{verb: "connect"}, err)
	}
	s.end()
	if s.crashed { // at any time, even if no answer was awaited
		s.note(cli.Failed)
	}
	if s.code != cli.OK {
		return cli.Exit(s.code)
	}
	return nil
}

// connected waits for the connection. If the server refuses, it does not try again.
func (s *script) connected(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.target.timeout)
	defer cancel()
	opened := make(chan error, 1)
	socket := s.socket
	s.start(func() { opened <- socket.Open(ctx) })
	select {
	case err := <-opened:
		return err
	case err := <-s.refusal:
		return err
	}
}

// work executes the joins and pushes of the flags, in order, and waits for their answers.
func (s *script) work(ctx context.Context) {
	for _, l := range s.joins {
		if err := s.await(ctx, l); err != nil {
			s.failed(l, err)
			return // nothing that follows can work
		}
	}
	if s.length > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, s.length)
		defer stop()
	}
	for _, l := range s.pushes {
		s.failed(l, s.await(ctx, l))
	}
	read := s.in != nil && s.readLines(ctx)
	if s.noWait && s.alive() && ctx.Err() == nil {
		// The server reads messages in order, so the reply to a heartbeat means that it has read
		// the pushes before it.
		_, err := s.socket.Ping(ctx)
		s.failed(line{verb: "heartbeat"}, err)
	}
	switch {
	case ctx.Err() != nil:
	case len(s.joins) == 0 && !read && s.in != nil:
		s.print.complain("there was nothing to do: no --topic, and nothing on standard input")
		s.note(cli.Misuse)
	case s.count > 0:
		s.countEvents(ctx)
	case s.length > 0 || len(s.pushes) == 0 && !read:
		s.watch(ctx)
	}
}

// readLines executes the commands of standard input, and reports whether there were any. It ends with the
// input, with the command quit, or with ctx.
func (s *script) readLines(ctx context.Context) (any bool) {
	ask, lines := make(chan struct{}), make(chan input, 1)
	// A read cannot be interrupted. If the session ends during one, this goroutine ends with the
	// process.
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(s.in)
		scanner.Buffer(nil, maxLine)
		for range ask {
			if !scanner.Scan() {
				if err := scanner.Err(); err != nil {
					lines <- input{err: err}
				}
				return
			}
			lines <- input{text: scanner.Text()}
		}
	}()
	defer close(ask)
	for {
		ask <- struct{}{}
		select {
		case l, ok := <-lines:
			if !ok {
				return any
			}
			any = true
			if l.err != nil {
				s.print.complain("standard input: %v", l.err)
				s.note(cli.Misuse)
				return true
			}
			if s.line(ctx, l.text) == errQuit {
				return true
			}
		case <-ctx.Done():
			return true
		}
	}
}

// line executes one line, waits for the answer, and records an error.
func (s *script) line(ctx context.Context, text string) error {
	l, err := parseLine(text, s.joined)
	if bad, ok := errors.AsType[*typo](err); ok {
		s.print.wrong(bad.show(s.print.palette, scriptWidth))
		s.note(cli.Misuse)
		return nil
	}
	if l.verb == "" {
		return nil
	}
	if err = s.await(ctx, l); err != errQuit {
		s.failed(l, err)
	}
	return err
}

// await executes a line and waits for the answer of the server.
func (s *script) await(ctx context.Context, l line) error {
	switch l.verb {
	case "join":
		r, err := s.enter(l.topic, l.payload)
		if err == nil {
			_, err = r.channel.Join(ctx)
		}
		return err
	case "leave":
		answer := make(chan error, 1)
		if err := s.leave(l.topic, func(err error) { answer <- err }); err != nil {
			return err
		}
		return <-answer
	case "push":
		ch, err := s.channel(l.topic)
		if err != nil {
			return err
		}
		if s.noWait {
			return ch.Send(l.event, payloadValue(l.payload))
		}
		_, err = ch.Push(ctx, l.event, payloadValue(l.payload))
		return err
	case "heartbeat":
		if !s.alive() {
			return errDisconnected
		}
		return s.heartbeat(ctx, s.socket)
	}
	return s.do(ctx, l)
}

// failed prints an error and records its exit code. It does not print an error reply, which was shown as a
// frame.
func (s *script) failed(l line, err error) {
	switch {
	case err == nil:
		return
	case errors.Is(err, client.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		s.note(exitTimeout)
	default:
		s.note(cli.Failed)
	}
	if _, answered := errors.AsType[*client.ReplyError](err); answered && s.print.form == formLine {
		return
	}
	what := l.verb
	if l.topic != "" {
		what += " " + l.topic
	}
	if l.event != "" {
		what += " " + l.event
	}
	why := s.target.explain(err)
	if errors.Is(err, context.DeadlineExceeded) && l.verb != "connect" {
		why = "not answered before --for was over"
	}
	if errors.Is(err, client.ErrTimeout) && l.verb == "push" {
		why += fmt.Sprintf(" (%s); if the server replies nothing to this event, push it with --no-wait", span(s.target.timeout))
	}
	s.print.complain("%s: %s", what, why)
}

// note keeps the exit code of the first error.
func (s *script) note(code int) {
	if s.code == cli.OK {
		s.code = code
	}
}

// countEvents waits for as many events as --count says.
func (s *script) countEvents(ctx context.Context) {
	for range s.count {
		if s.socket == nil {
			return
		}
		select {
		case <-s.events:
		case <-s.socket.Done():
			s.note(cli.Failed)
			return
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				s.note(exitTimeout)
			}
			return
		}
	}
}

// watch waits until a signal comes, or the server closes the connection with the code 1000.
func (s *script) watch(ctx context.Context) {
	if s.socket == nil {
		return // a line of standard input has disconnected it
	}
	select {
	case <-ctx.Done():
	case <-s.socket.Done():
	}
}

package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Login sets the password of the default user.
func (s *Server) Login(password string) { s.password = password }

// Do runs a command and returns its answer as redis-cli prints it: the elements of an
// array in lines, an error as its text.
func (s *Server) Do(t testing.TB, args ...string) string {
	t.Helper()
	out, err := s.command(args...)
	if err != nil {
		t.Fatalf("%s: %.200q: %v", s.Addr, args, err)
	}
	return out
}

// Says reports whether the answer to a command has a text in it. A server that does
// not answer at this moment says nothing.
func (s *Server) Says(text string, args ...string) bool {
	out, err := s.command(args...)
	return err == nil && strings.Contains(out, text)
}

// Lines is Do for an answer with several lines, without empty ones.
func (s *Server) Lines(t testing.TB, args ...string) []string {
	t.Helper()
	return strings.FieldsFunc(s.Do(t, args...), func(r rune) bool { return r == '\n' || r == '\r' })
}

// command runs a command. Where a node of a cluster names another one, that is asked.
func (s *Server) command(args ...string) (string, error) {
	out, err := s.commandAt(s.Addr, args)
	if rest, moved := strings.CutPrefix(out, "MOVED "); moved && err == nil {
		_, addr, _ := strings.Cut(rest, " ")
		return s.commandAt(addr, args)
	}
	return out, err
}

// commandAt has a connection of its own, which costs less than a process and knows nothing
// of what became of earlier ones.
func (s *Server) commandAt(addr string, args []string) (out string, err error) {
	c, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(Patience))
	r := bufio.NewReader(c)
	commands := [][]string{args}
	if s.password != "" {
		commands = [][]string{{"AUTH", s.password}, args}
	}
	for _, args := range commands {
		var b strings.Builder
		fmt.Fprintf(&b, "*%d\r\n", len(args))
		for _, a := range args {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
		}
		if _, err := io.WriteString(c, b.String()); err != nil {
			return "", err
		}
		if out, err = answer(r); err != nil {
			return "", err
		}
	}
	return strings.TrimSpace(out), nil
}

// answer reads one answer.
func answer(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", errors.New("an empty line is no answer")
	}
	kind, text := line[0], line[1:]
	if kind != '$' && kind != '*' {
		return text, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 { // there is nothing
		return "", err
	}
	if kind == '$' {
		bulk := make([]byte, n+len("\r\n"))
		_, err := io.ReadFull(r, bulk)
		return string(bulk[:n]), err
	}
	lines := make([]string, n)
	for i := range lines {
		if lines[i], err = answer(r); err != nil {
			return "", err
		}
	}
	return strings.Join(lines, "\n"), nil
}

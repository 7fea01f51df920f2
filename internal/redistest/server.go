// Package redistest runs Redis servers for tests: one, a cluster, or a master with a
// replica under Sentinels. It needs redis-server and redis-cli.
package redistest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
)

// Require names the environment variable that says that the tests must run; without it
// they are skipped where Redis is not installed.
const Require = "BENNU_REQUIRE_REDIS"

// Patience is how long a test waits for what must come, on a machine that has other
// things to do.
const Patience = waittest.Patience

// Need skips or fails the test if Redis is not installed.
func Need(t testing.TB) {
	t.Helper()
	for _, name := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv(Require) != "" {
			t.Fatalf("%s is not installed, and %s is set: run `make deps`", name, Require)
		}
		t.Skipf("NOT RUN: %s is not installed. `make deps` installs it where it can.", name)
	}
}

// A Server is one server. Its address stays the same when it restarts.
type Server struct {
	Addr string
	Port int
	Dir  string // its files; the log is "log"

	bus   int
	args  []string
	cli   []string // what redis-cli needs to be let in
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start runs a server until the test ends. Arguments are those of redis-server; they
// come after the helper's own.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	Need(t)
	s := &Server{Dir: t.TempDir(), args: args}
	t.Cleanup(func() {
		s.Kill(t)
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
			t.Logf("the server at %s wrote:\n%s", s.Addr, log)
		}
	})
	// A port that is free now may be taken before the server has it.
	for try := 1; ; try++ {
		ports := freePorts(t, 2)
		s.Port, s.bus, s.Addr = ports[0], ports[1], fmt.Sprintf("127.0.0.1:%d", ports[0])
		err := s.run(t)
		if err == nil {
			return s
		}
		if try == 3 {
			t.Fatal(err)
		}
	}
}

// freePorts finds ports that are free at this moment.
func freePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
	for range n {
		ports = append(ports, testport.Free(t))
	}
	return ports
}

// run starts the process and returns when it answers.
func (s *Server) run(t testing.TB) error {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(s.Dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	args := append([]string{
		"--port", strconv.Itoa(s.Port), "--cluster-port", strconv.Itoa(s.bus), "--bind", "127.0.0.1", "--dir", s.Dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "notice",
	}, s.args...)
	if len(s.args) > 0 && s.args[0] == "--sentinel" {
		args = []string{filepath.Join(s.Dir, "sentinel.conf"), "--sentinel", "--port", strconv.Itoa(s.Port)}
	}
	cmd := exec.Command("redis-server", args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in its log
	}()
	s.cmd, s.ended = cmd, ended
	for end := time.Now().Add(Patience); ; {
		select {
		case <-ended:
			s.cmd = nil
			return errors.New("redis-server ended at its start")
		default:
		}
		// NOAUTH and the like are answers too.
		if out, err := s.command("PING"); err == nil && out != "" && !strings.Contains(out, "LOADING") {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("redis-server does not answer after %v", Patience)
		}
	}
}

// Login tells redis-cli how to be let in.
func (s *Server) Login(cli ...string) { s.cli = cli }

func (s *Server) command(args ...string) (string, error) {
	args = append(append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(s.Port), "--no-auth-warning"}, s.cli...), args...)
	out, err := exec.Command("redis-cli", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Do runs a command and returns what redis-cli prints.
func (s *Server) Do(t testing.TB, args ...string) string {
	t.Helper()
	out, err := s.command(args...)
	if err != nil {
		t.Fatalf("redis-cli %q: %v\n%s", args, err, out)
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

// Kill ends the process at once.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

// Restart runs a server that was killed, at the same address.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill(t)
	if err := s.run(t); err != nil {
		t.Fatal(err)
	}
}

// Suspend stops the process without ending it: connections stay, and nothing
// answers.
func (s *Server) Suspend(t testing.TB) {
	t.Helper()
	if err := suspend(s.cmd.Process); err != nil {
		t.Fatal(err)
	}
}

// Resume is the end of Suspend.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	if err := resume(s.cmd.Process); err != nil {
		t.Fatal(err)
	}
}

// Package redistest runs Redis servers for tests: one, a cluster, or a master with a
// replica under Sentinels. It needs redis-server.
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
	if _, err := exec.LookPath("redis-server"); err == nil {
		return
	}
	if os.Getenv(Require) != "" {
		t.Fatalf("redis-server is not installed, and %s is set: run `make deps`", Require)
	}
	t.Skip("NOT RUN: redis-server is not installed. `make deps` installs it where it can.")
}

// A Server is one server. Its address stays the same when it restarts.
type Server struct {
	Addr string
	Port int
	Dir  string // its files; the log is "log"

	bus      int
	args     []string
	password string
	cmd      *exec.Cmd
	ended    chan struct{}
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
		"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--daemonize", "no", "--loglevel", "notice",
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
	over := false
	if !waittest.Within(Patience, func() bool {
		select {
		case <-ended:
			over = true
			return true
		default:
		}
		// NOAUTH and the like are answers too.
		out, err := s.command("PING")
		return err == nil && out != "" && !strings.Contains(out, "LOADING")
	}) {
		return fmt.Errorf("redis-server does not answer after %v", Patience)
	}
	if over {
		s.cmd = nil
		return errors.New("redis-server ended at its start")
	}
	return nil
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

// Package proctest runs programs as child processes of tests.
package proctest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// Patience bounds every wait for what must come. It is no measure of speed.
const Patience = waittest.Patience

// Build compiles a program of this module, such as
// "github.com/bennu-go/bennu/cmd/bennu", with some flags of go build, and returns where it
// is. "go run" keeps what it has linked in the build cache, which all packages share, so
// the next one that builds the same gets a copy.
func Build(t testing.TB, pkg string, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(pkg))
	args := append(append([]string{"run", "-exec", "cp"}, flags...), pkg, path)
	if said, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, said)
	}
	return path
}

// Find is where an installed program is, or "".
func Find(name string) string {
	// Debian keeps servers where only root's PATH leads.
	for _, name := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// A Process is a running program. It is ended with the test.
type Process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended, and all it printed is here

	mu   sync.Mutex
	said bytes.Buffer
}

// Start runs a program, with further variables for its environment, each
// "NAME=value". A test that fails shows what it printed under its name.
func Start(t testing.TB, name string, env []string, path string, args ...string) *Process {
	t.Helper()
	p := &Process{name: name, cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.WaitDelay = Patience // for children that hold the output open
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, p.Said())
		}
	})
	return p
}

// Write takes what the program prints.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

// Said is what the program has printed.
func (p *Process) Said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// Await waits until the program has printed what fits, and returns the match and its
// groups.
func (p *Process) Await(t testing.TB, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	waittest.Until(t, fmt.Sprintf("%s prints %s", p.name, pattern), func() bool {
		over := p.Ended()
		found = re.FindStringSubmatch(p.Said())
		if found == nil && over {
			t.Fatalf("%s ended (%v) without printing %s", p.name, p.cmd.ProcessState, pattern)
		}
		return found != nil
	})
	return found
}

// Ended reports whether the program has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Kill ends the program at once, without a word.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails when it has ended
	<-p.ended
}

// Stop asks the program to end, waits for it, and returns its exit code.
func (p *Process) Stop(t testing.TB) (code int) {
	t.Helper()
	return p.signal(t, syscall.SIGTERM)
}

// Interrupt is Stop as Ctrl+C does it.
func (p *Process) Interrupt(t testing.TB) (code int) {
	t.Helper()
	return p.signal(t, os.Interrupt)
}

func (p *Process) signal(t testing.TB, s os.Signal) (code int) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Errorf("%s has ended before: %v", p.name, err)
	}
	return p.Wait(t)
}

// Wait waits for the program to end by itself, and returns its exit code.
func (p *Process) Wait(t testing.TB) (code int) {
	t.Helper()
	late := time.NewTimer(Patience)
	defer late.Stop()
	select {
	case <-p.ended:
	case <-late.C:
		t.Fatalf("%s does not end", p.name)
	}
	return p.cmd.ProcessState.ExitCode()
}

// Listens reports whether somebody accepts connections at an address.
func Listens(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

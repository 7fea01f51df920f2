package proxies

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/wstest"
)

// The stock client comes back by itself when the proxy has restarted, and is in
// its topic again.
func TestRestart(t *testing.T) {
	forEach(t, func(t *testing.T, k *kind) {
		s := startServer(t)
		p := startProxy(t, k, documented, s.backend)
		c := startStock(t, "restart.mjs", p.ws("/socket"))
		c.expect(t, "joined")
		p.stop(t)
		c.expect(t, "closed")
		if err := p.start(t); err != nil {
			t.Fatal(err)
		}
		c.expect(t, "rejoined")

		near := wstest.Dial(t, s.ws(fixture))
		near.Join("room:restart")
		near.Want("room:restart", "bc", `{"n":1}`, "ok", "{}")
		c.expect(t, `heard {"n":1}`)
	})
}

// A stock is the stock JavaScript client, in Node, or some of them. It writes a line for
// what happens to it, and ends with its input.
type stock struct {
	lines  chan string // closed at its end
	stderr *strings.Builder
}

func startStock(t *testing.T, script string, args ...string) *stock {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "Node")
	}
	if _, err := os.Stat("../clients/node_modules/phoenix/package.json"); err != nil {
		missing(t, "the stock client")
	}
	c := &stock{lines: make(chan string, 100), stderr: &strings.Builder{}}
	// It ends by itself when its input does; if not, it is stopped.
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	cmd.Stderr = c.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		in.Close()
		overdue := time.AfterFunc(wstest.Patience, stop)
		for range c.lines {
		}
		err := cmd.Wait()
		overdue.Stop()
		stop()
		if err != nil {
			t.Errorf("the stock client: %v", err)
		}
		if c.stderr.Len() > 0 && t.Failed() {
			t.Logf("the stock client wrote:\n%s", c.stderr)
		}
	})
	return c
}

// missing skips or fails the test like kind.binary.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv(require) != "" {
		t.Fatalf("%s is not installed, and %s is set: run `make deps`", what, require)
	}
	t.Skipf("NOT RUN: %s is not installed. `make deps` installs it.", what)
}

// expect wants a line next.
func (c *stock) expect(t *testing.T, want string) {
	t.Helper()
	if got := c.next(t); got != want {
		t.Fatalf("the stock client: got %s, want %s", got, want)
	}
}

// next is the next line.
func (c *stock) next(t *testing.T) string {
	t.Helper()
	late := time.NewTimer(2 * wstest.Patience)
	defer late.Stop()
	select {
	case line, ok := <-c.lines:
		if !ok {
			t.Fatal("the stock client has ended")
		}
		return line
	case <-late.C:
		t.Fatalf("the stock client tells nothing for %v", 2*wstest.Patience)
	}
	return ""
}

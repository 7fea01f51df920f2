//go:build linux || darwin

package connect

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/waittest"
)

// openPty makes a pseudo-terminal, whose other side is read into a screen.
func openPty(t *testing.T) (p, tty *os.File, s *screen) {
	t.Helper()
	p, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	must(t, pty.Setsize(p, &pty.Winsize{Rows: 40, Cols: ptyWidth}))
	s = &screen{width: ptyWidth}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(s, p) // until the terminal is closed
	}()
	t.Cleanup(func() {
		tty.Close()
		p.Close()
		<-read
	})
	return p, tty, s
}

// A panic in any goroutine of the session restores the terminal.
func TestTerminalPanic(t *testing.T) {
	_, tty, _ := openPty(t)
	before, err := term.GetState(int(tty.Fd()))
	must(t, err)
	check := func(name string, in func(t *terminal)) {
		t.Run(name, func(t *testing.T) {
			func() {
				defer func() {
					if v := recover(); v != "on purpose" {
						t.Errorf("recovered %v", v)
					}
				}()
				terminal, err := openTerminal(tty, tty, func() {})
				must(t, err)
				in(terminal)
			}()
			after, err := term.GetState(int(tty.Fd()))
			must(t, err)
			if !sameState(before, after) {
				t.Error("the terminal is not as it was before")
			}
		})
	}
	check("of the session", func(t *terminal) {
		defer t.close()
		panic("on purpose")
	})
	check("beside it", func(t *terminal) {
		defer t.close()
		s := &session{rescue: t.rescue}
		defer s.rescue()
		panic("on purpose")
	})
	t.Run("beside it alone", func(t *testing.T) {
		terminal, err := openTerminal(tty, tty, func() {})
		must(t, err)
		defer terminal.close()
		func() {
			defer func() { _ = recover() }()
			defer terminal.rescue()
			panic("on purpose")
		}()
		after, err := term.GetState(int(tty.Fd()))
		must(t, err)
		if !sameState(before, after) {
			t.Error("the terminal is not as it was before")
		}
	})
}

// A session types while much comes in and the window changes: for the race detector,
// which does not see into the processes of the other tests.
func TestInteractRaces(t *testing.T) {
	url := newFixture(t) + "/socket"
	p, tty, screen := openPty(t)
	code := make(chan int, 1)
	defer func() { _, _ = p.WriteString("\x03") }() // ends it if the test has failed
	go func() {
		root := cli.Root(tty, tty, tty, Command())
		code <- cli.Run(context.Background(), root, []string{"connect", url, "--topic", "room:lobby"})
	}()
	keys := func(s string) {
		_, err := p.WriteString(s)
		must(t, err)
	}
	waittest.Until(t, "the join", func() bool { return strings.Contains(screen.text(), "ok to join") })
	for i := range 50 {
		keys(fmt.Sprintf("bc {\"n\":%d}\rb\t\x15", i))
		must(t, pty.Setsize(p, &pty.Winsize{Rows: 40, Cols: uint16(ptyWidth - i%3)}))
		must(t, syscall.Kill(os.Getpid(), syscall.SIGWINCH)) // as the terminal of a session does
		if i%10 == 9 {
			keys("reconnect\rtopics\rheartbeat\rjoin room:err\ruse room:lobby\r")
		}
	}
	keys("bc {\"n\":\"last\"}\r")
	waittest.Until(t, "the last broadcast", func() bool { return strings.Count(screen.text(), `bc  {"n":"last"}`) == 2 })
	keys("disconnect\rquit\r")
	select {
	case c := <-code:
		if c != cli.OK {
			t.Errorf("exit code %d", c)
		}
	case <-time.After(proctest.Patience):
		t.Errorf("it does not end; the terminal shows\n%s", screen.text())
	}
}

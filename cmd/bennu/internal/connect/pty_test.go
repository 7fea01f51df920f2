//go:build linux || darwin

package connect

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/term"

	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/waittest"
)

// ptyWidth is the number of columns of the terminal of a test.
const ptyWidth = 120

// A session under a pseudo-terminal, with the real command.
type typist struct {
	t      *testing.T
	screen *screen
	pty    *os.File
	tty    *os.File // kept open, so that its state can be seen after the command has ended
	cmd    *exec.Cmd
	before *term.State
	ended  chan struct{}
}

// startTypist runs the command bennu with args under a pseudo-terminal.
func startTypist(t *testing.T, bennu string, env []string, args ...string) *typist {
	t.Helper()
	p, tty, shown := openPty(t)
	before, err := term.GetState(int(tty.Fd()))
	must(t, err)
	y := &typist{t: t, screen: shown, pty: p, tty: tty, before: before, ended: make(chan struct{})}
	y.cmd = exec.Command(bennu, args...)
	y.cmd.Env = append(append(os.Environ(), "TERM=xterm", "NO_COLOR=", "BENNU_TOKEN="), env...)
	y.cmd.Stdin, y.cmd.Stdout, y.cmd.Stderr = tty, tty, tty
	must(t, y.cmd.Start())
	go func() {
		defer close(y.ended)
		_ = y.cmd.Wait() // the result is in ProcessState
	}()
	t.Cleanup(func() {
		_ = y.cmd.Process.Kill() // fails if it has ended
		<-y.ended
		if t.Failed() {
			t.Logf("the terminal shows:\n%s", y.screen.text())
		}
	})
	return y
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keys presses keys.
func (y *typist) keys(keys string) {
	y.t.Helper()
	_, err := y.pty.WriteString(keys)
	must(y.t, err)
}

// enter types a line, and waits until the wanted text is on the screen below it.
func (y *typist) enter(line, leadsTo string) {
	y.t.Helper()
	seen := strings.Count(y.screen.text(), leadsTo)
	y.keys(line + "\r")
	if strings.Contains(line, leadsTo) {
		seen++
	}
	y.until("after "+line+": "+leadsTo, func(text string) bool { return strings.Count(text, leadsTo) > seen })
}

// shows waits until the screen has a text.
func (y *typist) shows(text string) {
	y.t.Helper()
	y.until(text, func(all string) bool { return strings.Contains(all, text) })
}

func (y *typist) until(what string, holds func(text string) bool) {
	y.t.Helper()
	waittest.Until(y.t, what, func() bool { return holds(y.screen.text()) })
}

// ends waits until the command has ended, and returns its exit code. The terminal must be in the mode
// that it had before.
func (y *typist) ends() int {
	y.t.Helper()
	select {
	case <-y.ended:
	case <-time.After(proctest.Patience):
		y.t.Fatalf("the command does not end; the terminal shows:\n%s", y.screen.text())
	}
	y.restored()
	return y.cmd.ProcessState.ExitCode()
}

// restored checks that the terminal is not in raw mode.
func (y *typist) restored() {
	y.t.Helper()
	after, err := term.GetState(int(y.tty.Fd()))
	must(y.t, err)
	if !sameState(y.before, after) {
		y.t.Error("the terminal is not as it was before")
	}
}

// raw reports whether the terminal is in another mode than before.
func (y *typist) raw() bool {
	after, err := term.GetState(int(y.tty.Fd()))
	return err == nil && !sameState(y.before, after)
}

func sameState(a, b *term.State) bool { return *a == *b }

// lastLine is the line with the prompt.
func (y *typist) lastLine() string {
	lines := strings.Split(strings.TrimRight(y.screen.text(), "\n"), "\n")
	return lines[len(lines)-1]
}

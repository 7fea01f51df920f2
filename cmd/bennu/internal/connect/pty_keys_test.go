//go:build linux || darwin

package connect

import (
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/testport"
)

// The keys are those of a line editor: history, completion, and the keys that end it.
func TestKeys(t *testing.T) {
	bennu := proctest.Build(t, "github.com/bennu-go/bennu/cmd/bennu", "-tags=nobrokers")
	url := "ws" + strings.TrimPrefix(newFixture(t), "http") + "/socket"
	const up, down, left = "\x1b[A", "\x1b[B", "\x1b[D"

	t.Run("history", func(t *testing.T) {
		y := startTypist(t, bennu, nil, "connect", url)
		y.shows("connected over websocket")
		y.enter("join room:lobby", "ok to join")
		y.enter(`echo {"n":1}`, `ok to echo`)
		y.keys(up)
		y.until("the line before", func(string) bool { return y.lastLine() == `room:lobby> echo {"n":1}` })
		y.keys(up)
		y.until("the one before that", func(string) bool { return y.lastLine() == "room:lobby> join room:lobby" })
		y.keys(down + left + "\x7f2\r") // corrects the number
		y.until("the mended line", func(text string) bool { return strings.Count(text, `{"n":2}`) == 3 })
		y.keys("quit\r")
		if code := y.ends(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})

	t.Run("completion", func(t *testing.T) {
		y := startTypist(t, bennu, nil, "connect", url, "--topic", "room:lobby", "--topic", "exact")
		y.until("both joins", func(text string) bool { return strings.Count(text, "ok to join") == 2 })
		y.keys("us\tr\t\r")
		y.until("the other topic", func(string) bool { return y.lastLine() == "room:lobby>" })
		y.enter(`bcf {"a":1}`, "ok to bcf")
		y.enter(`bc {"a":1}`, "ok to bc ")
		y.keys("b\t\t")
		y.shows("  bc  bcf")
		y.keys("f\t")
		y.until("the event", func(string) bool { return y.lastLine() == "room:lobby> bcf" })
		y.keys("\x15\x04") // an empty line, and the end
		if code := y.ends(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})

	t.Run("no reply", func(t *testing.T) {
		y := startTypist(t, bennu, nil, "connect", url, "--topic", "room:lobby", "--timeout", "3s")
		y.shows("ok to join")
		y.enter("noreply", "no reply to noreply on room:lobby for 3.0 s")
		y.enter(`echo {"still":"here"}`, "ok to echo")
		y.keys("quit\r")
		y.ends()
	})

	t.Run("a topic that is refused", func(t *testing.T) {
		y := startTypist(t, bennu, nil, "connect", url, "--topic", "room:lobby")
		y.shows("ok to join")
		y.enter("join room:err", "room:err is left, since it was not let in")
		y.enter("topics", "* room:lobby  joined")
		y.until("the prompt", func(string) bool { return y.lastLine() == "room:lobby>" })
		y.keys("quit\r")
		y.ends()
	})

	t.Run("a panic on the other side", func(t *testing.T) {
		y := startTypist(t, bennu, nil, "connect", url, "--topic", "room:lobby")
		y.shows("ok to join")
		y.enter("boom", "room:lobby  crashed")
		y.enter("ok", "ok waits until room:lobby is joined again")
		y.until("the next join", func(text string) bool { return strings.Count(text, "ok to join") == 2 })
		y.shows("ok to ok")
		y.keys("quit\r")
		y.ends()
	})

	t.Run("no reply where a crash was the answer", func(t *testing.T) {
		y := startTypist(t, bennu, nil, "connect", url, "--topic", "room:lobby", "--timeout", "8s") // longer than this machine may stand still
		y.shows("ok to join")
		y.enter("boom", "room:lobby  crashed")
		y.until("the next join", func(text string) bool { return strings.Count(text, "ok to join") == 2 })
		y.enter("noreply", "no reply to noreply") // older ones are shown first
		if strings.Contains(y.screen.text(), "no reply to boom") {
			t.Error("a crash is told, and then that there is no reply")
		}
		y.keys("quit\r")
		y.ends()
	})

	t.Run("nobody there", func(t *testing.T) {
		y := startTypist(t, bennu, nil, "connect", "ws://"+testport.Addr(t)+"/socket")
		y.shows("cannot connect, trying again: dial tcp")
		y.enter("join room:lobby", "the join waits until there is a connection")
		y.enter("ok", "ok waits until there is a connection")
		y.enter("heartbeat", "heartbeat: socket is not open")
		y.keys("quit\r")
		y.ends()
	})

	t.Run("Ctrl+C", func(t *testing.T) {
		y := startTypist(t, bennu, nil, "connect", url)
		y.shows("connected over websocket")
		y.keys("half a line")
		y.shows("> half a line")
		y.keys("\x03")
		if code := y.ends(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		y.shows("disconnected")
		if text := y.screen.text(); !strings.Contains(text, "\n> half a line\n") || !strings.HasSuffix(y.screen.written(), "\r\n") {
			t.Errorf("the end is not on a line of its own:\n%s", text)
		}
	})

	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			y := startTypist(t, bennu, nil, "connect", url)
			y.shows("connected over websocket")
			if !y.raw() {
				t.Fatal("the terminal is not in raw mode")
			}
			must(t, y.cmd.Process.Signal(sig))
			y.ends()
			if strings.Contains(y.screen.text(), "goroutine ") {
				t.Error("it printed its stacks")
			}
		})
	}

	t.Run("a window that changes", func(t *testing.T) {
		y := startTypist(t, bennu, nil, "connect", url)
		y.shows("connected over websocket")
		must(t, pty.Setsize(y.pty, &pty.Winsize{Rows: 40, Cols: 40}))
		must(t, y.cmd.Process.Signal(syscall.SIGWINCH)) // the terminal does not send it, since the process is not in its session
		long := "join " + strings.Repeat("x", 60)
		y.keys(long)
		// The editor breaks the line where the window ends.
		y.until("a broken line", func(string) bool { return strings.Contains(y.screen.written(), "\r\n"+strings.Repeat("x", 27)) })
		y.keys("\x03")
		y.ends()
	})

	t.Run("no colour", func(t *testing.T) {
		y := startTypist(t, bennu, []string{"NO_COLOR=1"}, "connect", url)
		y.shows("connected over websocket")
		y.enter("join room:lobby", "ok to join")
		y.keys("quit\r")
		y.ends()
		if strings.Contains(y.screen.written(), "m") && strings.Contains(y.screen.written(), "\x1b[3") {
			t.Errorf("there are colours in %q", y.screen.written())
		}
	})
}

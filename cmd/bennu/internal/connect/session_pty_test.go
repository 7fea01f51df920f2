//go:build linux || darwin

package connect

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/testport"
)

// TestSession is the session of docs/connect-session.txt: somebody types into a terminal, and the
// command is connected to the demo, which is restarted meanwhile. BENNU_UPDATE=1 updates the text and
// the picture.
func TestSession(t *testing.T) {
	bennu := proctest.Build(t, "github.com/bennu-go/bennu/cmd/bennu", "-tags=nobrokers")
	addr := testport.Addr(t)
	serve := func() *proctest.Process {
		p := proctest.Start(t, "demo", []string{"BENNU_PUBSUB=", "BENNU_SECRET="}, bennu, "demo", "--addr", addr, "--node", "nest")
		p.Await(t, `Ctrl\+C stops the demo`)
		return p
	}
	demo := serve()
	url := "ws://" + addr + "/socket"

	y := startTypist(t, bennu, nil, "connect", url)
	y.shows("connected over websocket")
	y.enter(`join room:lobby {"name":"ibis"}`, "+ ibis")
	y.shows("arrived")
	y.enter(`shout {"body":"anybody here?}`, "this string has no closing quote")
	y.keys("\x1b[A\x1b[D\"\r") // brings the line back, and puts in what is missing
	y.shows("ok to shout")
	heron := proctest.Start(t, "heron", nil, bennu, "connect", url, "--topic", "room:lobby", "--join", `{"name":"heron"}`, "--count", "1000")
	y.shows("+ heron")
	y.shows(`arrived  {"name":"heron"}`)
	y.enter("who", "2 users")
	heron.Stop(t)
	y.shows("- heron")
	y.shows(`left  {"name":"heron"}`)
	if code := demo.Stop(t); code != 0 {
		t.Errorf("the demo ended with %d", code)
	}
	y.shows("connection lost")
	serve()
	y.shows("connected again")
	y.until("the room again", func(text string) bool {
		return strings.Count(text, "+ ibis") == 2 && strings.Count(text, "arrived  {\"name\":\"ibis\"}") == 2
	})
	y.enter("heartbeat", "the server answered in")
	y.enter("join ping:lobby", "ping:lobby  ok to join")
	y.enter("ping", `ok to ping in`)
	y.enter("leave", "ping:lobby  closed")
	y.enter("leave", "room:lobby  closed")
	y.keys("quit\r")
	if code := y.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	y.shows("disconnected")
	shown := recorded(y.screen.written(), addr)
	compare(t, "docs/connect-session.txt", shown.text())
	compare(t, "docs/connect-session.svg", svg(shown.rows, ptyWidth))
}

// recorded copies the screen without the differences between sessions: the address of the server is
// the default, times are even, and frames that may come in any order are sorted.
func recorded(written, addr string) *screen {
	for _, r := range []struct{ pattern, with string }{
		{regexp.QuoteMeta(addr), "localhost:4000"},
		{`"20\d\d-\d\d-\d\dT[^"]*Z"`, `"2026-03-01T12:00:02.250Z"`},
		{`in \d+(\.\d)? m?s\b`, "in 0.4 ms"},
		{`, \d+(\.\d)? m?s later`, ", 1.2 s later"},
	} {
		written = regexp.MustCompile(r.pattern).ReplaceAllString(written, r.with)
	}
	s := &screen{width: ptyWidth}
	fmt.Fprintf(s, "$ bennu connect ws://localhost:4000/socket\r\n%s", written)
	text := func(row []cell) string { return strings.TrimRight(string(runes(row)), " ") }
	for len(s.rows) > 0 && text(s.rows[len(s.rows)-1]) == "" {
		s.rows = s.rows[:len(s.rows)-1]
	}
	// The number of tries to connect is random.
	s.rows = slices.DeleteFunc(s.rows, func(row []cell) bool { return strings.Contains(text(row), "cannot connect, trying again") })
	n := 0
	for i, row := range s.rows {
		// The broadcast of the channel and the diff of presence may come in either order.
		for diff, event := range map[string]string{"presence_diff  +": "  arrived  ", "presence_diff  -": "  left  "} {
			if i+1 < len(s.rows) && strings.Contains(text(row), diff) && strings.Contains(text(s.rows[i+1]), event) {
				s.rows[i], s.rows[i+1] = s.rows[i+1], row
			}
		}
	}
	for _, row := range s.rows {
		if regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d\d\d `).MatchString(text(row)) {
			replace(row, 0, fmt.Sprintf("12:00:%02d.%03d", n/4, n%4*250))
			n++
		}
		if strings.Contains(text(row), `"at":`) { // a time has up to three digits of milliseconds
			replace(row, 15, "  104 B")
		}
	}
	return s
}

func replace(row []cell, at int, with string) {
	for i, r := range with {
		row[at+i].r = r
	}
}

// compare compares the record with a file of the module, or updates the file.
func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("../../../..", filepath.FromSlash(name))
	if os.Getenv("BENNU_UPDATE") != "" {
		must(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if got != string(want) {
		t.Errorf("the session is not that of %s; make docs writes it anew. Got\n%s\nwant\n%s", name, got, want)
	}
}

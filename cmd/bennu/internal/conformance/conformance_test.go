package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	wire "github.com/bennu-go/bennu/internal/conformance"
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/internal/servetest"
	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) {
	waittest.Main(m)
}

// serve serves endpoint until the test ends.
func serve(t *testing.T, endpoint *bennu.Endpoint) (url string) {
	t.Helper()
	return "http://" + servetest.Serve(t, endpoint.Serve)
}

func try(ctx context.Context, args ...string) (out, errOut string, code int) {
	var stdout, stderr strings.Builder
	root := cli.Root(strings.NewReader(""), &stdout, &stderr, Command())
	code = cli.Run(ctx, root, append([]string{"conformance"}, args...))
	return stdout.String(), stderr.String(), code
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// All cases pass on one server, one after the other.
func TestFixture(t *testing.T) {
	out, err, code := try(t.Context(), serve(t, app.New(quiet())))
	cases, loadErr := wire.Load()
	if loadErr != nil {
		t.Fatal(loadErr)
	}
	if want := fmt.Sprintf("%d passed, 0 failed\n", len(cases)); code != cli.OK || err != "" || out != want {
		t.Errorf("exit code %d after printing %q and %q, want %q", code, out, err, want)
	}
}

// A wrong server is one whose rooms echo something else.
func wrong(t *testing.T) (url string) {
	rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, nil
	})
	bennu.On(rooms, "echo", func(*bennu.Channel, context.Context, bennu.Payload) (map[string]any, error) {
		return map[string]any{"a": 2, "\x1b[31m": "<red>"}, nil
	})
	var s bennu.SocketHandler
	s.Channel("room:*", rooms)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: quiet()})
	endpoint.Socket("/socket", &s, nil)
	return serve(t, endpoint)
}

func TestWrongServer(t *testing.T) {
	url := wrong(t)
	out, err, code := try(t.Context(), "--run", "^(JN-01|PU-01|LP-08)$", "-v", url)
	if code != cli.Failed || err != "" {
		t.Errorf("exit code %d, stderr %q", code, err)
	}
	const want = "ok    JN-01  join, empty reply\n" + `FAIL  PU-01  push → reply
      step 5 of 5  rx "A" ["1","2","room:1","phx_reply",{"status":"ok","response":{"k":"v"}}]
      want  ["1","2","room:1","phx_reply",{"status":"ok","response":{"k":"v"}}]
      got   ["1","2","room:1","phx_reply",{"response":{"\u001b[31m":"<red>","a":2},"status":"ok"}]
      [4].response.k: want "v", got nothing
      [4].response.\x1b[31m: want nothing, got "<red>"
      [4].response.a: want nothing, got 2

`
	if !strings.HasPrefix(out, want) {
		t.Errorf("printed:\n%s\nwant:\n%s", out, want)
	}
	for _, text := range []string{"FAIL  LP-08  OPTIONS preflight\n", "      want  status 200\n      got   status 404\n            \"404 page not found\\n\"\n", "\n1 passed, 2 failed\n"} {
		if !strings.Contains(out, text) {
			t.Errorf("printed:\n%s\nwant %q in it", out, text)
		}
	}
}

func TestJSON(t *testing.T) {
	out, err, code := try(t.Context(), "--json", "--run", "JN-01|PU-01", wrong(t))
	if code != cli.Failed || err != "" {
		t.Errorf("exit code %d, stderr %q", code, err)
	}
	var got []line
	for text := range strings.Lines(out) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		got = append(got, l)
	}
	if len(got) != 2 || !*got[0].OK || got[0].ID != "JN-01" || *got[1].OK || got[1].Step != 5 || got[1].Verb != "rx" ||
		!strings.Contains(got[1].Want, `{"k":"v"}`) || !strings.Contains(got[1].Got, "<red>") || !strings.HasPrefix(got[1].Error, "got ") {
		t.Errorf("got %s", out)
	}
}

func TestList(t *testing.T) {
	out, _, code := try(t.Context(), "--list", "--run", "^JN-0[12]")
	if code != cli.OK || out != "JN-01  join, empty reply\nJN-02  join with reply payload\n" {
		t.Errorf("exit code %d after printing %q", code, out)
	}
	out, _, code = try(t.Context(), "--list", "--json", "--run", "refused$")
	if code != cli.OK || out != `{"id":"JN-03","given":"join refused"}`+"\n" {
		t.Errorf("exit code %d after printing %q", code, out)
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		err  string
	}{
		{nil, cli.Misuse, "the URL of a server is missing"},
		{[]string{"--list", "http://here"}, cli.Misuse, "--list takes no URL"},
		{[]string{"a", "b"}, cli.Misuse, `unexpected argument "b"`},
		{[]string{"https://here"}, cli.Misuse, "the URL begins with https://, and the cases use plain http://"},
		{[]string{"http://u:sesame@here"}, cli.Misuse, "the URL has more than a host and a port"},
		{[]string{"http://here/socket"}, cli.Misuse, "the cases bring their own paths"},
		{[]string{"http://:80"}, cli.Misuse, "the URL has no host"},
		{[]string{"http://[::1"}, cli.Misuse, "the URL cannot be read"},
		{[]string{"--run", "(", "http://here"}, cli.Misuse, "--run: error parsing regexp"},
		{[]string{"--run", "dance", "http://here"}, cli.Misuse, `--run "dance" fits no case`},
		{[]string{testport.Addr(t)}, cli.Failed, "no server answers: dial tcp"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			out, err, code := try(t.Context(), tt.args...)
			if code != tt.code || out != "" || !strings.Contains(err, tt.err) || strings.Contains(err, "sesame") {
				t.Errorf("exit code %d after printing %q and %q, want %d and %q", code, out, err, tt.code, tt.err)
			}
		})
	}
}

// A signal stops it in the middle of a case, and the cases that did not run are no failures.
func TestStopped(t *testing.T) {
	arrived := make(chan struct{}, 1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if n, _ := conn.Read(make([]byte, 1)); n == 1 { // not the one that asks whether somebody is there
				arrived <- struct{}{}
			}
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	out, errOut, code := try(ctx, ln.Addr().String())
	if code != cli.Failed || out != "" || errOut != "bennu conformance: stopped before the end\n" {
		t.Errorf("exit code %d after printing %q and %q", code, out, errOut)
	}
}

func TestProgress(t *testing.T) {
	var out, terminal strings.Builder
	p := &printer{out: &out, progress: &terminal}
	c := wire.Case{ID: "XX-01", Given: "a test"}
	p.begin(0, 2, c)
	if err := p.end(c, &wire.Failure{Case: "XX-01", Err: errors.New("broken")}); err != nil {
		t.Fatal(err)
	}
	p.begin(1, 2, c)
	if want := "\r\x1b[K1 of 2, 0 failed: XX-01\r\x1b[K\r\x1b[K2 of 2, 1 failed: XX-01"; terminal.String() != want {
		t.Errorf("got %q, want %q", terminal.String(), want)
	}
	if want := "FAIL  XX-01  a test\n      broken\n\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

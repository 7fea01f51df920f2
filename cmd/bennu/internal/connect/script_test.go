package connect

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/testport"
)

// Exit codes and output, over both transports.
func TestScript(t *testing.T) {
	base := newFixture(t)
	tests := []struct {
		name string
		args []string
		in   string
		code int
		out  string // in what is printed
	}{
		{"a reply", []string{"--topic", "room:lobby", "--push", `echo {"a":1}`}, "", cli.OK, `ok to echo in`},
		{"an event without payload", []string{"--topic", "room:lobby", "--push", "ok"}, "", cli.OK, `ok to ok in`},
		{"two pushes", []string{"--topic", "room:lobby", "--push", "ok", "--push", `echo {"b":2}`}, "", cli.OK, `{"b":2}`},
		{"a push to another topic", []string{"--topic", "room:lobby", "--topic", "exact", "--push", `exact echo {"b":2}`}, "", cli.OK, `exact  ok to echo`},
		{"a payload of the join", []string{"--topic", "room:reply", "--join", `{"k":"v"}`, "--push", "ok"}, "", cli.OK, `{"got":{"k":"v"}}`},
		{"an error reply", []string{"--topic", "room:lobby", "--push", "error"}, "", cli.Failed, `error to error in`},
		{"a reply with another status", []string{"--topic", "room:lobby", "--push", "custom"}, "", cli.Failed, `my_status to custom`},
		{"what follows an error is done", []string{"--topic", "room:lobby", "--push", "error", "--push", "ok"}, "", cli.Failed, `ok to ok`},
		{"a refused join", []string{"--topic", "room:err", "--push", "ok"}, "", cli.Failed, `error to join`},
		{"a join that crashes", []string{"--topic", "room:crash"}, "", cli.Failed, "join crashed"},
		{"a crash", []string{"--topic", "room:lobby", "--push", "boom"}, "", cli.Failed, "crashed"},
		{"a channel that closes", []string{"--topic", "room:lobby", "--push", "stop_normal"}, "", cli.Failed, "closed"},
		{"no reply", []string{"--topic", "room:lobby", "--push", "noreply", "--timeout", "3s"}, "", exitTimeout, "push room:lobby noreply: no reply in time (3.0 s); if the server replies nothing to this event, push it with --no-wait"},
		{"no reply is waited for", []string{"--topic", "room:lobby", "--push", "noreply", "--push", "noreply", "--no-wait"}, "", cli.OK, "noreply  {}"},
		{"no reply to a line is waited for", []string{"--topic", "room:lobby", "--no-wait"}, "noreply", cli.OK, "noreply  {}"},
		{"a refused connection", []string{"--topic", "room:lobby", "--param", "reject=error"}, "", cli.Failed, "the server answers 403 Forbidden"},
		{"events that are counted", []string{"--topic", "room:after", "--count", "2"}, "", cli.OK, "hello  "},
		{"events that do not come", []string{"--topic", "room:lobby", "--count", "1", "--for", "100ms"}, "", exitTimeout, "ok to join"},
		{"some time", []string{"--topic", "room:lobby", "--for", "100ms"}, "", cli.OK, "ok to join"},
		{"lines", nil, "join room:lobby\necho {\"a\":1}\n\nleave\n", cli.OK, `ok to echo in`},
		{"lines without an end", []string{"--topic", "room:lobby"}, "ok", cli.OK, `ok to ok in`},
		{"quit", []string{"--topic", "room:lobby"}, "quit\nerror\n", cli.OK, "ok to join"},
		{"a line with a typing error", []string{"--topic", "room:lobby"}, "echo {\"a\":}\nok\n", cli.Misuse, "ok to ok in"},
		{"where the typing error is", []string{"--topic", "room:lobby"}, "echo {\"a\":}\n", cli.Misuse, "  echo {\"a\":}\n            ^ a value is missing before this\n"},
		{"a topic that is not joined", nil, "echo {}", cli.Failed, "no topic is joined"},
		{"a line with an error", []string{"--topic", "room:lobby"}, "error\nok", cli.Failed, "ok to ok in"},
		{"joined twice", []string{"--topic", "room:lobby"}, "join room:lobby", cli.Failed, "room:lobby is joined already"},
		{"after a disconnect", []string{"--topic", "room:lobby"}, "disconnect\nok", cli.Failed, "there is no connection"},
		{"connected anew", []string{"--topic", "room:lobby"}, "disconnect\nreconnect\nok", cli.OK, "ok to ok in"},
		{"topics", []string{"--topic", "room:lobby", "--topic", "exact"}, "use room:lobby\ntopics", cli.OK, "* room:lobby  joined\n  exact  joined\n"},
		{"nobody", []string{"--topic", "room:lobby"}, "who", cli.OK, "  room:lobby: nobody is known to be here\n"},
		{"nothing", nil, "", cli.Misuse, "there was nothing to do"},
		{"a line without end", nil, strings.Repeat("x", maxLine+1), cli.Misuse, "standard input: bufio.Scanner: token too long"},
		{"no time", []string{"--topic", "room:lobby", "--push", "noreply", "--for", "200ms"}, "", exitTimeout, "push room:lobby noreply: not answered before --for was over"},
		{"help", nil, "help", cli.OK, "push an event"},
	}
	for _, transport := range []string{"websocket", "longpoll"} {
		t.Run(transport, func(t *testing.T) {
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					t.Parallel()
					args := append([]string{base + "/socket", "--transport", transport}, tt.args...)
					play := func() string {
						got := runConnect(t, strings.NewReader(tt.in), args...)
						if all := got.out + got.err; got.code != tt.code || !strings.Contains(all, tt.out) {
							return fmt.Sprintf("exit code %d, want %d, and %q in\n%s", got.code, tt.code, tt.out, all)
						}
						return ""
					}
					if slices.Contains(tt.args, "--timeout") {
						inTime(t, play)
					} else if wrong := play(); wrong != "" {
						t.Error(wrong)
					}
				})
			}
		})
	}
}

// who lists the users who are present, with their metas.
func TestWho(t *testing.T) {
	base := newFixture(t)
	in := func(out *buffer, shown, lines string) io.Reader {
		return &later{t, out, shown, strings.NewReader(lines)}
	}
	var first, second buffer
	done := make(chan ran, 1)
	go func() {
		done <- runInto(t, &first, in(&first, "+ heron", "who\n"), base+"/socket", "--topic", "room:presence", "--join", `{"key":"ibis","name":"Ibis"}`)
	}()
	_, _ = in(&first, "+ ibis", "").Read(nil)
	asks := io.MultiReader(in(&second, `"heron":{"metas"`, "who\ntopics\nheartbeat\n"), in(&first, " users\n", "")) // stays until it was seen
	got := runInto(t, &second, asks, base+"/socket", "--topic", "room:presence", "--join", `{"key":"heron"}`, "--json")
	for _, want := range []string{`"topic":"room:presence","payload":{"heron":[{"phx_ref":`, `"payload":{"room:presence":"joined"},"state":"topics"}`, `"state":"heartbeat"}`} {
		if got.code != cli.OK || !strings.Contains(got.out, want) {
			t.Errorf("exit code %d, and no %s in\n%s%s", got.code, want, got.out, got.err)
		}
	}
	want := "  room:presence: 2 users\n  heron  {\"online_at\":1}\n  ibis  {\"name\":\"Ibis\",\"online_at\":1}\n"
	if got := <-done; got.code != cli.OK || !strings.Contains(got.out, want) {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
}

// With version 1 of the protocol it works as well.
func TestScriptVersion1(t *testing.T) {
	got := runConnect(t, nil, newFixture(t)+"/socket/websocket", "--vsn", "1", "--topic", "room:lobby", "--push", `echo {"a":1}`, "--raw")
	if got.code != cli.OK || !strings.Contains(got.out, `< {"topic":"room:lobby","event":"phx_reply","payload":{"status":"ok","response":{"a":1}},"ref":`) &&
		!strings.Contains(got.out, `"response":{"a":1}`) {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
}

// Each line of standard output is an object, and nothing else is printed there.
func TestScriptJSON(t *testing.T) {
	base := newFixture(t)
	got := runConnect(t, strings.NewReader("echo {\"a\":1}\nbin hex:00ff\noops {\nhelp\n"), base+"/socket", "--topic", "room:lobby", "--json")
	if got.code != cli.Misuse || !strings.Contains(got.err, "^ } is missing here") || !strings.Contains(got.err, "push an event") {
		t.Errorf("exit code %d, standard error %s", got.code, got.err)
	}
	var seen []string
	for line := range strings.Lines(got.out) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if r.Event == "phx_reply" {
			payload, err := json.Marshal(r.Payload)
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, fmt.Sprintf("%s %s %s %x", r.To, r.Status, payload, r.Bytes))
			if r.Millis <= 0 {
				t.Errorf("no time in %s", line)
			}
		}
	}
	want := []string{"phx_join ok {} ", `echo ok {"a":1} `, "bin ok null 00ff0304"}
	if strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", seen, want)
	}
}

// The command waits for a server that does not run yet, since it may be starting.
func TestScriptNobodyThere(t *testing.T) {
	url := "ws://" + testport.Addr(t) + "/socket"
	inTime(t, func() string {
		got := runConnect(t, nil, url, "--topic", "a", "--timeout", "2s")
		if all := got.out + got.err; got.code != exitTimeout || !strings.Contains(all, "connection refused") {
			return fmt.Sprintf("exit code %d\n%s", got.code, all)
		}
		return ""
	})
}

// The command ends although its input stays open.
func TestScriptOpenInput(t *testing.T) {
	in, w := io.Pipe()
	defer w.Close() // ends the read that still waits
	got := runConnect(t, in, newFixture(t)+"/socket", "--topic", "room:lobby", "--for", "100ms")
	if got.code != cli.OK {
		t.Errorf("exit code %d\n%s", got.code, got.err)
	}
}

func TestMisuse(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const url = "ws://localhost:1/socket"
	tests := []struct {
		args []string
		err  string
	}{
		{nil, "the URL of a server, such as ws://localhost:4000/socket, is missing"},
		{[]string{"a", "b"}, `unexpected argument "b"`},
		{[]string{"localhost:4000"}, "the URL has the form ws://localhost:4000/socket"},
		{[]string{"localhost:4000/socket"}, "and this one has no ws:// in front: ws://localhost:4000/socket\n"},
		{[]string{"localhost"}, "and this one has no ws:// in front: ws://localhost\n"},
		{[]string{"[::1]:4000/socket"}, "and this one has no ws:// in front: ws://[::1]:4000/socket\n"},
		{[]string{"u:sesame@localhost/socket"}, "the URL has the form ws://localhost:4000/socket\n"},
		{[]string{"localhost/socket?token=sesame"}, "the URL has the form ws://localhost:4000/socket\n"},
		{[]string{"/socket"}, "the URL has the form ws://localhost:4000/socket\n"},
		{[]string{"ws:/localhost:4000/socket"}, "the URL has the form ws://localhost:4000/socket\n"},
		{[]string{"ws//localhost:4000/socket"}, "the URL has the form ws://localhost:4000/socket\n"},
		{[]string{"ws://"}, "the URL has the form ws://localhost:4000/socket\n"},
		{[]string{"ws://local host/socket"}, "the URL has the form ws://localhost:4000/socket\n"},
		{[]string{"ws://localhost:99999/socket"}, "the URL has the port 99999; a port is a number from 1 to 65535"},
		{[]string{"ftp://localhost/socket"}, "begins with ws, wss, http or https, not with ftp"},
		{[]string{url, "--origin", "example.com"}, "--origin is the scheme and the host of a page, such as https://example.com"},
		{[]string{url, "--origin", "https://example.com/"}, "--origin must not have a path; write https://example.com\n"},
		{[]string{url, "--header", "Na me: v"}, `--header has the name "Na me"; the name of a header has letters, digits and dashes`},
		{[]string{url, "--header", "Name: a\r\nb: c"}, "has a value with a line break"},
		{[]string{url, "--join", "{}"}, "--join needs a --topic"},
		{[]string{url, "--topic", "a", "--push", " "}, "--push is empty; it is an event and its payload"},
		{[]string{"ws://localhost/socket?token=sesame"}, "--param-file token=FILE"},
		{[]string{"ws://u:sesame@localhost/socket"}, "--header-file Authorization=FILE"},
		{[]string{url, "--param", "apikey=sesame"}, "--param-file apikey=FILE"},
		{[]string{url, "--param", "apikey"}, "--param wants NAME=VALUE"},
		{[]string{url, "--header", "Authorization: sesame"}, "--header-file Authorization=FILE"},
		{[]string{url, "--header", "x"}, "--header wants 'NAME: VALUE'"},
		{[]string{url, "--param-file", "apikey"}, "--param-file wants NAME=FILE"},
		{[]string{url, "--param-file", "apikey=" + filepath.Join(dir, "none")}, "no such file"},
		{[]string{url, "--token-file", empty}, "is empty"},
		{[]string{url, "--join-file", "k=" + empty}, "is empty"},
		{[]string{url, "--transport", "pigeon"}, "--transport is websocket or longpoll, not \"pigeon\""},
		{[]string{url, "--vsn", "3"}, "--vsn is 1 or 2, not \"3\""},
		{[]string{url, "--timeout", "0s"}, "--timeout must be above 0"},
		{[]string{url, "--push", "shout"}, "--push needs a --topic"},
		{[]string{url, "--topic", "a", "--push", `shout {"a":}`}, "  shout {\"a\":}\n             ^ a value is missing before this\n"},
		{[]string{url, "--topic", "a", "--join", `{a:1}`}, "  {a:1}\n   ^ a name stands in double quotes: \"a\"\n"},
		{[]string{url, "--topic", ""}, "--topic is empty"},
		{[]string{url, "--for", "1s", "--count", "-1"}, "--count and --for must not be below 0"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			got := runConnect(t, nil, tt.args...)
			if got.code != cli.Misuse || !strings.Contains(got.err, tt.err) || got.out != "" {
				t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
			}
			if strings.Contains(got.err, "sesame") {
				t.Errorf("a secret in %s", got.err)
			}
		})
	}
}

// A connection that fails says what to try.
func TestRemedies(t *testing.T) {
	base := newFixture(t)
	for url, want := range map[string]string{
		"ws://" + testport.Addr(t) + "/socket":               "; is the server running there?",
		"wss" + strings.TrimPrefix(base, "http") + "/socket": "; the server speaks no TLS there, so the URL begins with ws://",
		base + "/nowhere": "; there may be no socket at this path, as a rule it is /socket",
		"ws" + strings.TrimPrefix(base, "http") + "/socket?reject=error": "it refuses the token, the parameters or the origin",
	} {
		inTime(t, func() string {
			got := runConnect(t, nil, url, "--topic", "room:lobby", "--timeout", "3s")
			if got.code == cli.OK || !strings.Contains(got.err, want) {
				return fmt.Sprintf("%s: exit code %d, and no %q in\n%s%s", url, got.code, want, got.out, got.err)
			}
			return ""
		})
	}
}

// Secrets from files reach the server, and no output.
func TestSecrets(t *testing.T) {
	base := newFixture(t)
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{base + "/auth", "--topic", "room:info", "--topic", "room:reply", "--join", `{"plain":"yes","n":12345678901234567890}`,
		"--param", "uid=7", "--param-file", "apikey=" + file("key", "open \"sesame\"\n"), "--token-file", file("token", "sesame-street"),
		"--join-file", "access_token=" + file("jwt", "sesame.jwt"), "--for", "100ms"}
	for _, more := range [][]string{nil, {"--json"}, {"--raw"}, {"--full", "--all"}, {"--transport", "longpoll"}, {"--vsn", "1"}} {
		t.Run(strings.Join(more, " "), func(t *testing.T) {
			got := runConnect(t, nil, append(args, more...)...)
			all := got.out + got.err
			if got.code != cli.OK || strings.Contains(all, "sesame") {
				t.Errorf("exit code %d\n%s", got.code, all)
			}
			for _, want := range []string{`"uid":"7"`, `"apikey":"[FILTERED]"`, `"auth_token":"[FILTERED]"`, `"access_token":"[FILTERED]"`, `"plain":"yes"`, `"n":12345678901234567890`} {
				if !strings.Contains(all, want) {
					t.Errorf("%s is not in\n%s", want, all)
				}
			}
		})
	}

	t.Run("environment", func(t *testing.T) {
		t.Setenv(tokenEnv, "sesame-street")
		got := runConnect(t, nil, base+"/auth", "--topic", "room:info", "--for", "100ms")
		if all := got.out + got.err; strings.Contains(all, "sesame") || !strings.Contains(all, `"auth_token":"[FILTERED]"`) {
			t.Errorf("exit code %d\n%s", got.code, all)
		}
	})
}

// A channel that crashes while the script only watches is a failure too.
func TestScriptCrashWhileWatching(t *testing.T) {
	crash := make(chan struct{})
	rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		ch.Go(func(context.Context) error {
			<-crash
			return bennu.Crash
		})
		return ch, bennu.Empty{}, ch.Send("hello")
	})
	bennu.OnInfo(rooms, func(ch *bennu.Channel, _ context.Context, event string) error { return ch.Push(event, nil) })
	var users bennu.SocketHandler
	users.Channel("room:*", rooms)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler), Host: "localhost", DrainTime: bennu.Unlimited})
	endpoint.Socket("/socket", &users, nil)
	base := serve(t, endpoint)
	var out buffer
	done := make(chan ran, 1)
	go func() { done <- runInto(t, &out, nil, base+"/socket", "--topic", "room:after", "--count", "3") }()
	_, _ = io.ReadAll(&later{t, &out, "hello", strings.NewReader("")})
	close(crash)
	if got := <-done; got.code != cli.Failed || !strings.Contains(got.out, "crashed") {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
}

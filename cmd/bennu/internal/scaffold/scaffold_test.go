package scaffold

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// try runs "bennu new" or "bennu gen" in the directory dir.
func try(t *testing.T, dir string, args ...string) (out, errOut string, code int) {
	t.Helper()
	t.Chdir(dir)
	var stdout, stderr strings.Builder
	root := cli.Root(strings.NewReader(""), &stdout, &stderr, NewCommand(), GenCommand())
	code = cli.Run(context.Background(), root, args)
	return stdout.String(), stderr.String(), code
}

func must(t *testing.T, dir string, args ...string) (out string) {
	t.Helper()
	out, errOut, code := try(t, dir, args...)
	if code != cli.OK || errOut != "" {
		t.Fatalf("bennu %q: exit code %d after printing %q", args, code, errOut)
	}
	return out
}

// goCommand runs the go command in dir, without a network.
func goCommand(t *testing.T, dir string, args ...string) {
	t.Helper()
	tool(t, dir, "go", args...)
}

func tool(t *testing.T, dir, name string, args ...string) (said string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = offline()
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, b)
	}
	return string(b)
}

func offline() []string {
	return append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local")
}

// newProgram makes a program outside of the repository.
func newProgram(t *testing.T) (dir string) {
	t.Helper()
	parent := t.TempDir()
	must(t, parent, "new", "chat")
	return filepath.Join(parent, "chat")
}

// check checks a program with the tools that its author would use.
func check(t *testing.T, dir string) {
	t.Helper()
	if said := tool(t, dir, "gofmt", "-l", "."); said != "" {
		t.Errorf("gofmt would change %s", said)
	}
	goCommand(t, dir, "vet", "./...")
	goCommand(t, dir, "test", "-vet=off", "-count=1", "-timeout=2m", "./...")
	goCommand(t, dir, "mod", "tidy", "-diff") // fails when it would change anything
}

func TestNew(t *testing.T) {
	dir := newProgram(t)
	check(t, dir)

	// The tests of the program must fail if it is broken.
	path := filepath.Join(dir, "room.go")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"shout":    {`c.Broadcast("shout", in)`, `c.BroadcastFrom("shout", in)`},
		"ping":     {"return in, nil", "in.Body += \"!\"\n\treturn in, nil"},
		"tag":      {`json:"body"`, `json:"text"`},
		"Validate": {"strings.TrimSpace(m.Body)", "strings.Trim(m.Body, \"x\")"},
	} {
		broken := strings.Replace(string(text), change[0], change[1], 1)
		if broken == string(text) {
			t.Fatalf("there is no %s in\n%s", change[0], text)
		}
		if err := os.WriteFile(path, []byte(broken), 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "test", "-vet=off", "-timeout=2m", "./...")
		cmd.Dir, cmd.Env = dir, offline()
		if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "--- FAIL") {
			t.Errorf("the tests do not notice a broken %s: %v\n%s", what, err, said)
		}
	}
}

// With --history, the tests of the program notice when nothing is kept, and when its page does not ask.
func TestNewHistory(t *testing.T) {
	parent := t.TempDir()
	must(t, parent, "new", "--history", "chat")
	dir := filepath.Join(parent, "chat")
	check(t, dir)

	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil || !strings.Contains(string(page), "let since = null") || !strings.Contains(string(page), `push("phx_join", { since })`) {
		t.Errorf("the page does not resume: %v\n%s", err, page)
	}
	// A second channel goes into the history that the program has.
	said := must(t, dir, "gen", "channel", "--history", "--topic", "news:*", "news")
	edit(t, filepath.Join(dir, "routes.go"), `users.Channel("room:*", roomChannel())`, "after", indented(t, said, "Add to routes.go:"))
	edit(t, filepath.Join(dir, "routes.go"), `{Pattern: "room:*"`, "after", indented(t, said, "Add to the topics of your history:"))
	tool(t, dir, "gofmt", "-w", ".")
	check(t, dir)

	path := filepath.Join(dir, "main.go")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "History: keep, ", "", 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-vet=off", "-timeout=2m", "-run=TestHistory", ".")
	cmd.Dir, cmd.Env = dir, offline()
	if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "--- FAIL") {
		t.Errorf("the tests do not notice that nothing is kept: %v\n%s", err, said)
	}
}

// A program without a history gets the lines for one.
func TestGenHistory(t *testing.T) {
	dir := newProgram(t)
	said := must(t, dir, "gen", "channel", "--history", "chat_room")
	main := filepath.Join(dir, "main.go")
	edit(t, filepath.Join(dir, "routes.go"), `users.Channel("room:*", roomChannel())`, "after", indented(t, said, "Add to routes.go:"))
	edit(t, main, "endpoint := bennu.NewEndpoint", "before", indented(t, said, "Add to main.go, before the endpoint is made, with ps as its PubSub:"))
	edit(t, main, "endpoint.OnShutdown(ps.Close)", "after", indented(t, said, "Then give History: keep to its EndpointOptions, beside PubSub: ps, and add after that:"))
	edit(t, main, `"github.com/bennu-go/bennu/pubsub"`, "before", `"github.com/bennu-go/bennu/history"`)
	edit(t, main, `"syscall"`, "after", `"time"`)
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(main, []byte(strings.Replace(string(text), "PubSub: ps, ", "PubSub: ps, History: keep, ", 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	tool(t, dir, "gofmt", "-w", ".")
	check(t, dir)
	if !strings.Contains(said, "imports time and github.com/bennu-go/bennu/history") || !strings.Contains(said, "params.since = ref") {
		t.Errorf("printed %s", said)
	}
}

// Below a go.work the go command accepts a module only if the file lists it.
func TestNewInWorkspace(t *testing.T) {
	parent := tree(t, map[string]string{"go.work": "go 1.26.0\n"})
	t.Setenv("GOWORK", "off")
	if out := must(t, parent, "new", "apart"); strings.Contains(out, "go work") {
		t.Errorf("go.work is off, but it says\n%s", out)
	}
	t.Setenv("GOWORK", "")
	if out := must(t, parent, "new", "chat"); !strings.Contains(out, "\n  go work use . ") {
		t.Errorf("go.work is not mentioned:\n%s", out)
	}
	for _, args := range [][]string{{"work", "use", "."}, {"vet", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = filepath.Join(parent, "chat"), append(offline(), "GOWORK=")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %q: %v\n%s", args, err, said)
		}
	}
}

// The program runs, serves a client, and ends after a signal.
func TestNewRuns(t *testing.T) {
	dir := newProgram(t)
	binary := filepath.Join(t.TempDir(), "program")
	goCommand(t, dir, "build", "-o", binary, ".")
	p := proctest.Start(t, "chat", nil, binary, "-addr", "127.0.0.1:0")
	addr := p.Await(t, `Serving on http://(\S+)\n`)[1]

	ann := wstest.Dial(t, "ws://"+addr+"/socket/websocket?vsn=2.0.0")
	ann.Join("room:lobby")
	ann.Want("room:lobby", "ping", `{"body":"hello"}`, "ok", `{"body":"hello"}`)
	ann.Want("room:lobby", "shout", `{"body":"hello"}`, "ok", `{}`)
	if got := ann.Event("room:lobby", "shout").Payload; got != `{"body":"hello"}` {
		t.Errorf("heard %s", got)
	}
	polls := wstest.DialLongPoll(t, "http://"+addr+"/socket/longpoll?vsn=2.0.0")
	polls.Join("room:lobby")
	polls.Want("room:lobby", "ping", `{"body":"by polling"}`, "ok", `{"body":"by polling"}`)
	if code := p.Interrupt(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// Everything together, with the printed lines added where bennu says.
func TestGen(t *testing.T) {
	dir := newProgram(t)
	channel := must(t, dir, "gen", "channel", "ChatRoom")
	socket := must(t, dir, "gen", "socket", "user")
	must(t, dir, "gen", "socket", "--token-param", "user_token", "phone")
	presence := must(t, dir, "gen", "presence", "chat_room")
	must(t, dir, "gen", "presence", "room")
	must(t, dir, "gen", "channel", "--topic", "news", "news")

	edit(t, filepath.Join(dir, "routes.go"), `users.Channel("room:*", roomChannel())`, "after", indented(t, channel, "Add to routes.go:"))
	main := filepath.Join(dir, "main.go")
	edit(t, main, "var users bennu.SocketHandler", "before", indented(t, presence, "Add to main.go, before the sockets are mounted"))
	edit(t, main, "return endpoint, nil", "before", "_ = here\n"+indented(t, socket, "Add to main.go, with the keys of your tokens:"))
	edit(t, main, `"github.com/bennu-go/bennu/pubsub"`, "after", `"github.com/bennu-go/bennu/token"`)
	tool(t, dir, "gofmt", "-w", ".")
	if !strings.Contains(socket, "need the imports os and\ngithub.com/bennu-go/bennu/token.") {
		t.Errorf("nothing is said of imports: %s", socket)
	}
	if !strings.Contains(socket, "\n  go mod tidy ") {
		t.Errorf("nothing is said of the module that the token needs: %s", socket)
	}
	goCommand(t, dir, "mod", "tidy")
	t.Setenv("SECRET_KEY_BASE", strings.Repeat("k", 64))
	check(t, dir)
	if again := must(t, dir, "gen", "socket", "admin"); strings.Contains(again, "mod tidy") {
		t.Errorf("the module is asked for once more: %s", again)
	}

	// Also in another package.
	if err := os.Mkdir(filepath.Join(dir, "talk-room"), 0o777); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "gen", "channel", "--dir", "talk-room", "room")
	goCommand(t, dir, "vet", "./...")
	goCommand(t, dir, "test", "-vet=off", "-count=1", "-timeout=2m", "./talk-room")
}

// indented returns the lines after a heading, up to the next one.
func indented(t *testing.T, text, heading string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(heading) + `.*\n\n((?:  .*\n)+)`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("there is nothing to add below %q in\n%s", heading, text)
	}
	return found[1]
}

// edit puts text before or after the line that has an anchor.
func edit(t *testing.T, path, anchor, where, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), anchor) })
	if i < 0 {
		t.Fatalf("%s has no line %q", path, anchor)
	}
	if where == "after" {
		i++
	}
	if err := os.WriteFile(path, []byte(strings.Join(slices.Insert(lines, i, text), "\n")), 0o666); err != nil {
		t.Fatal(err)
	}
}

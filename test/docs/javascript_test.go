package docs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
)

// requireClients says that the scripts must run; without it they are skipped where the
// stock client is not installed.
const requireClients = "BENNU_REQUIRE_CLIENTS"

// scripts are the JavaScript of the pages, in the order in which it stands there, each
// with what it takes for granted before it, and with a line behind it that says what it did.
// HERE is the server.
var scripts = map[string][]struct{ before, after, want string }{
	"README.md": {
		{"", "", "joined\n{ ping: 'pong' }\n"},
		{talking, missed("shout", `{Body: "one"}`, `{Body: "two"}`, "({Body}) => Body"), "new\none\nrecovered\ntwo\nlive\n"},
	},
	"docs/transports.md": {{
		`import { Socket } from "phoenix"; globalThis.location = new URL("http://HERE/page")`,
		`socket.onOpen(() => console.log("open", socket.endPointURL())); socket.connect()`,
		"open ws://HERE/socket/websocket?vsn=2.0.0\n",
	}},
	"docs/security.md": {{
		joined("ping:a") + `; const freshToken = async () => "fresh"`, ``,
		"", // the server says so
	}},
	"docs/presence.md": {{
		channel("room:a", `{Name: "ann"}`) + `; const render = list => { if (list.length > 0) console.log(list.map(({id, devices}) => id + " with " + devices)) }`,
		`channel.join()`,
		"user:ann came\n[ 'user:ann with 1' ]\n",
	}},
	"docs/history.md": {
		{talking, missed("shout", `{Body: "one"}`, `{Body: "two"}`, "({Body}) => Body"), "new\none\nrecovered\ntwo\nlive\n"},
		{channel("room:1", `{since: "aaaaaaaa:1"}`) + `; const reload = reason => console.log("lost,", reason)`, `channel.join()`, "lost, epoch\n"},
		{
			talking + `; const params = {since: null}, channel = socket.channel("room:1", params)`,
			missed("drawn", `new Uint8Array(1).buffer`, `new Uint8Array(2).buffer`, "image => image.byteLength"),
			"new\n1\nrecovered\n2\nlive\n",
		},
	},
}

func channel(topic, params string) string {
	return `import { Socket } from "phoenix"
const socket = new Socket("ws://HERE/socket")
socket.connect()
const channel = socket.channel("` + topic + `", ` + params + `)`
}

func joined(topic string) string {
	return channel(topic, "{}") + `
await new Promise(resolve => channel.join().receive("ok", resolve))`
}

// talking has a socket, and another client of the room.
const talking = `import { Socket } from "phoenix"
const connected = () => { const s = new Socket("ws://HERE/socket"); s.connect(); return s }
const socket = connected(), other = connected().channel("room:1", {})
const answered = pushed => new Promise(resolve => pushed.receive("ok", resolve))`

// missed cuts the client of a channel, lets it miss a broadcast, and prints what it gets before and
// after that.
func missed(event, first, second, show string) string {
	push := map[string]string{"shout": "shout", "drawn": "draw"}[event]
	return `const shown = ` + show + `
channel.on("bennu:resume", ({status}) => console.log(status))
const heard = new Promise(resolve => channel.on("` + event + `", payload => resolve(console.log(shown(payload)))))
await Promise.all([answered(channel.join()), answered(other.join())])
await answered(other.push("` + push + `", ` + first + `))
await heard
await new Promise(resolve => socket.disconnect(resolve))
await answered(other.push("` + push + `", ` + second + `))
socket.connect()`
}

// The scripts run as they stand in the pages, but for the server's address.
func TestJavaScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("../clients/node_modules/phoenix/package.json")
	}
	if err != nil {
		if os.Getenv(requireClients) != "" {
			t.Fatalf("%v, and %s is set: run make deps", err, requireClients)
		}
		t.Skipf("NOT RUN: %v. make deps installs what is missing.", err)
	}
	for page, blocks := range scripts {
		t.Run(filepath.Base(page), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(page)))
			if err != nil {
				t.Fatal(err)
			}
			found := regexp.MustCompile("(?s)```js\n(.*?)```").FindAllStringSubmatch(string(text), -1)
			if len(found) != len(blocks) {
				t.Fatalf("%d blocks of JavaScript, and the test knows %d", len(found), len(blocks))
			}
			for i, b := range blocks {
				run(t, node, b.before+"\n"+found[i][1]+"\n"+b.after, b.want)
			}
		})
	}
}

// expire lets the authentication of a client expire until it renews it: the client may not
// listen yet when it is first told. The result is its token, or "" when ctx ends.
func expire(ctx context.Context, connected <-chan *bennu.Socket, renewed <-chan string) string {
	var socket *bennu.Socket
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case socket = <-connected:
		case token := <-renewed:
			return token
		case <-again.C:
			if socket != nil {
				socket.ExpireAt(time.Now())
			}
		case <-ctx.Done():
			return ""
		}
	}
}

// run has a server renew a token, or the script print what is wanted.
func run(t *testing.T, node, script, want string) {
	t.Helper()
	renewed, connected := make(chan string, 1), make(chan *bennu.Socket, 1)
	url := server(t, &bennu.SocketHandler{
		Connect: func(_ context.Context, s *bennu.Socket, _ *bennu.ConnectInfo) error {
			select {
			case connected <- s:
			default:
			}
			return nil
		},
		Renew: func(_ context.Context, _ *bennu.Socket, token string) (time.Time, error) {
			select {
			case renewed <- token:
			default:
			}
			return time.Time{}, nil
		},
	})
	addr := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/socket")
	want = strings.ReplaceAll(want, "HERE", addr)
	script = strings.NewReplacer("HERE", addr, "localhost:4000", addr).Replace(script)
	// Before version 22, Node has no WebSocket of its own.
	script = `import { WebSocket as ws } from "ws"; globalThis.WebSocket ??= ws` + "\n" + script
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "--input-type=module", "--eval", script)
	cmd.Dir = "../clients" // where its packages are
	var errOut strings.Builder
	cmd.Stderr = &errOut
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The script does not end by itself.
	done := make(chan string, 1)
	go func() {
		var said strings.Builder
		b := make([]byte, 4096)
		for said.Len() < len(want) {
			n, err := out.Read(b)
			said.Write(b[:n])
			if err != nil {
				break
			}
		}
		done <- said.String()
	}()
	if want == "" {
		if token := expire(ctx, connected, renewed); token != "fresh" {
			t.Errorf("the server renews %q", token)
		}
	}
	if said := <-done; said != want {
		t.Errorf("the script printed %q, want %q", said, want)
	}
	cancel()
	_ = cmd.Wait() // it was killed
	if errOut.Len() > 0 {
		t.Errorf("the script wrote:\n%s", errOut.String())
	}
}

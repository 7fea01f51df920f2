package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/waittest"
)

// patience bounds the wait for an event that must come. It does not test how long that takes.
const patience = waittest.Patience

// run runs "bennu demo" and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return cli.Run(ctx, cli.Root(strings.NewReader(""), stdout, stderr, Command()), append([]string{"demo"}, args...))
}

// A running is the command at work on a free port.
type running struct {
	url   string
	intro string // what it printed until it was ready

	logged *buffer

	cancel context.CancelFunc
	rest   chan string
	code   chan int
	ended  bool
}

type buffer = waittest.Buffer

func newDemo(t *testing.T, more ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := &running{logged: new(buffer), cancel: cancel, rest: make(chan string, 1), code: make(chan int, 1)}
	read, write := io.Pipe()
	go func() {
		d.code <- run(ctx, append([]string{"--addr", "127.0.0.1:0"}, more...), write, d.logged)
		write.Close()
	}()
	lines := bufio.NewReader(read)
	for !strings.Contains(d.intro, "Ctrl+C stops the demo.") {
		line, err := lines.ReadString('\n')
		d.intro += line
		if err != nil {
			cancel()
			t.Fatalf("the demo ended with code %d after printing %q", <-d.code, d.intro)
		}
	}
	d.url = regexp.MustCompile(`http://[^\s]+`).FindString(d.intro)
	go func() {
		text, _ := io.ReadAll(lines)
		d.rest <- string(text)
	}()
	t.Cleanup(func() {
		if !d.ended {
			d.stop()
		}
	})
	return d
}

// stop ends it as a signal would, and returns what it printed and its exit code.
func (d *running) stop() (printed string, code int) {
	d.ended = true
	d.cancel()
	return d.intro + <-d.rest, <-d.code
}

func (d *running) socket() string {
	return "ws" + strings.TrimPrefix(d.url, "http") + "/socket/websocket?vsn=2.0.0"
}

func TestDemoPage(t *testing.T) {
	url := newDemo(t).url
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	get := func(path string) (*http.Response, string) {
		t.Helper()
		resp, err := client.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}

	resp, page := get("/")
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("the page: %s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("Content-Security-Policy is %q", policy)
	}
	// The files that the page loads exist.
	for _, m := range regexp.MustCompile(`(?:src|href)="([\w.]+)"`).FindAllStringSubmatch(page, -1) {
		if resp, _ := get("/" + m[1]); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", m[1], resp.Status)
		}
	}
	if resp, _ := get("/nothing"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("/nothing: %s", resp.Status)
	}
}

// The page must work offline, and must not parse data as HTML.
func TestDemoFiles(t *testing.T) {
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|(?:src|href)="https?:|@import|url\(`)
	err := fs.WalkDir(pageFiles, "page", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := pageFiles.ReadFile(path)
		if found := forbidden.FindString(string(text)); found != "" {
			t.Errorf("%s contains %q", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDemoPing(t *testing.T) {
	d := newDemo(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, _, err := ws.Dial(ctx, d.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	ask := func(frame, want string) {
		t.Helper()
		if err := wsutil.WriteClientText(conn, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		got, err := wsutil.ReadServerText(conn)
		if err != nil {
			t.Fatal(err)
		}
		if canonical(t, got) != canonical(t, []byte(want)) {
			t.Errorf("%s is answered with %s, want %s", frame, got, want)
		}
	}
	ask(`["1","1","ping:lobby","phx_join",{}]`, `["1","1","ping:lobby","phx_reply",{"response":{},"status":"ok"}]`)
	ask(`["1","2","ping:lobby","ping",{}]`, `["1","2","ping:lobby","phx_reply",{"response":{"ping":"pong"},"status":"ok"}]`)

	// Shutdown sends a close code to the clients.
	printed, code := d.stop()
	if code != cli.OK || !strings.Contains(printed, "Try first") || !strings.Contains(printed, "Closing the connections") {
		t.Errorf("exit code %d after printing %q", code, printed)
	}
	header, err := ws.ReadHeader(conn)
	if err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, min(header.Length, ws.MaxControlFramePayloadSize))
	if _, err := io.ReadFull(conn, payload); err != nil {
		t.Fatal(err)
	}
	if code, _ := ws.ParseCloseFrameData(payload); header.OpCode != ws.OpClose || code != 1012 {
		t.Errorf("the last frame is %v with code %d, want a close frame with 1012", header.OpCode, code)
	}
}

// canonical makes JSON texts with the same meaning equal.
func canonical(t *testing.T, text []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	again, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(again)
}

func TestDemoConnections(t *testing.T) {
	d := newDemo(t, "--connections", "1")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	first, err := client.Dial(ctx, d.url+"/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := first.Ping(ctx); err != nil { // from then on it counts
		t.Fatal(err)
	}
	second, _, _, err := ws.Dial(ctx, d.socket())
	if err == nil {
		second.Close()
	}
	var status ws.StatusError
	if !errors.As(err, &status) || status != http.StatusServiceUnavailable {
		t.Errorf("one too many: %v, want status 503", err)
	}
}

func TestDemoPortTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	addr := ln.Addr().String()
	port := ln.Addr().(*net.TCPAddr).Port

	var out, errOut strings.Builder
	code := run(context.Background(), []string{"--addr", addr}, &out, &errOut)
	if code != cli.Failed || out.Len() > 0 {
		t.Errorf("exit code %d after printing %q", code, out.String())
	}
	for _, want := range []string{"port " + strconv.Itoa(port) + " is taken", "--addr 127.0.0.1:"} {
		if !strings.Contains(errOut.String(), want) {
			t.Errorf("stderr %q, want %q in it", errOut.String(), want)
		}
	}
}

func TestPageURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:4000":    "http://127.0.0.1:4000",
		"0.0.0.0:4000":      "http://localhost:4000",
		"[::]:80":           "http://localhost:80",
		"[::1]:4000":        "http://[::1]:4000",
		"192.168.1.20:4000": "http://192.168.1.20:4000",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := pageURL(tcp); got != want {
			t.Errorf("pageURL(%s) = %s, want %s", addr, got, want)
		}
	}
}

func TestBrowserCommand(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows", "freebsd"} {
		name, args := browserCommand(goos, "http://localhost:4000")
		if name == "" || len(args) == 0 || args[len(args)-1] != "http://localhost:4000" {
			t.Errorf("%s: %s %q", goos, name, args)
		}
	}
}

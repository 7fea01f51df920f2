package faults

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// TestSecrets (F20): a server in a process of its own is given secrets in all places a
// request has, and an application that fails over each of them. At debug level, in
// either form of the log, nothing that the process writes has one of them.
func TestSecrets(t *testing.T) {
	for _, form := range []string{"text", "json"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			// The server alone sees the first; the application quotes the second, beside
			// a name that tells what it is.
			silent, quoted := canary(), canary()
			out := runWithSecrets(t, form, func(addr string) {
				for range waittest.Sized(1, 20) {
					visitWithSecrets(t, addr, silent, quoted)
				}
			})
			for what, secret := range map[string]string{"that the server alone saw": silent, "that the application quoted": quoted} {
				for _, hit := range findSecret(out, secret) {
					t.Errorf("a secret %s: %s", what, hit)
				}
			}
			// What was looked at is what it should be.
			for _, line := range []string{
				"websocket: acceptor panicked", "longpoll: acceptor panicked", "channel crashed", "join crashed", "handler failed",
				"channel callback failed", "message does not decode", "invalid payload", "the Fallback panicked", "longpoll: binary frame dropped",
				"[FILTERED]", "longpoll:{", "level=DEBUG",
			} {
				if form == "json" && line == "level=DEBUG" {
					line = `"level":"DEBUG"`
				}
				if !strings.Contains(out, line) {
					t.Errorf("%q is not in what the server wrote", line)
				}
			}
			t.Logf("%d lines, %d masks", strings.Count(out, "\n"), strings.Count(out, "[FILTERED]"))
			if t.Failed() {
				t.Logf("what the server wrote:\n%.60000s", out)
			}
		})
	}
}

// canary is a secret that occurs nowhere else.
func canary() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b)
	return "canary" + hex.EncodeToString(b)
}

// findSecret finds the lines that have a secret, in any of the ways it may be written
// without being unreadable.
func findSecret(out, secret string) (hits []string) {
	forms := []string{secret, hex.EncodeToString([]byte(secret))}
	for shift := range 3 { // base64 depends on where in its text the secret starts
		text := base64.RawStdEncoding.EncodeToString([]byte("xxx"[:shift] + secret))
		forms = append(forms, text[4:len(text)-2])
	}
	var bytesForm []string
	for _, c := range []byte(secret) {
		bytesForm = append(bytesForm, fmt.Sprint(c))
	}
	forms = append(forms, strings.Join(bytesForm, " "), strings.Join(bytesForm, ","))
	for line := range strings.Lines(out) {
		if slices.ContainsFunc(forms, func(form string) bool {
			return strings.Contains(strings.ToLower(line), strings.ToLower(form))
		}) {
			hits = append(hits, fmt.Sprintf("%.1000s", strings.TrimSpace(line)))
		}
	}
	return hits
}

func TestFindSecret(t *testing.T) {
	secret := canary()
	for _, text := range []string{
		"a " + secret, strings.ToUpper(secret), fmt.Sprintf("%x", secret), fmt.Sprint([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte("ab" + secret + "c")),
	} {
		if len(findSecret("first\n"+text+"\nlast", secret)) != 1 {
			t.Errorf("does not find it in %q", text)
		}
	}
	if hits := findSecret(canary(), secret); len(hits) != 0 {
		t.Errorf("finds it in another: %q", hits)
	}
}

// runWithSecrets runs the server for as long as visit takes, and returns all it wrote.
func runWithSecrets(t *testing.T, form string, visit func(addr string)) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), secretServerEnv+"="+form)
	var written waittest.Buffer
	cmd.Stderr = &written
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var rest bytes.Buffer
	end := func() error {
		in.Close()
		_, err := io.Copy(&rest, stdout)
		return errors.Join(err, cmd.Wait())
	}
	over := false
	defer func() {
		if !over {
			_ = end()
			t.Logf("what the server wrote:\n%.20000s%s", &written, &rest)
		}
	}()
	lines := bufio.NewReader(stdout)
	addr, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	visit(strings.TrimSpace(addr))
	over = true
	if err := end(); err != nil {
		t.Errorf("the server ended with: %v", err)
	}
	more, _ := io.ReadAll(lines)
	return written.String() + string(more) + rest.String()
}

// visitWithSecrets is everything that clients do to the server.
func visitWithSecrets(t *testing.T, addr, silent, quoted string) {
	t.Helper()
	v := &visit{t, addr, silent, quoted}
	v.pages()
	v.connects()
	v.channels()
	v.polls()
	v.malformed()
}

// visit is one client's visits, with its secrets.
type visit struct {
	*testing.T
	addr, silent, quoted string
}

// named are the lines of a request whose names say that they are secret.
func (v *visit) named() []string {
	return []string{
		"Cookie: _app_session=" + v.quoted + "; theme=" + v.quoted, "Authorization: Bearer " + v.quoted, "X-Api-Key: " + v.quoted,
		"X-Phoenix-AuthToken: " + v.quoted,
	}
}

// lines are those of a request with secrets wherever one has them.
func (v *visit) lines() []string {
	return append(v.named(),
		"X-Note: "+v.silent, "User-Agent: "+v.silent, "Referer: http://localhost/?note="+v.silent, "X-Forwarded-For: "+v.silent)
}

func (v *visit) query(do string) string {
	query := "?vsn=2.0.0&do=" + do + "&token=" + v.quoted + "&_csrf_token=" + v.quoted
	if do == "url" { // the application quotes all of it
		return query
	}
	return query + "&note=" + v.silent + "&list[]=" + v.silent + "&map[key]=" + v.silent
}

// tokenLine is how phoenix.js sends its authToken.
func (v *visit) tokenLine() string {
	return "Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx." + base64.RawStdEncoding.EncodeToString([]byte(v.quoted))
}

// pages are requests that the endpoint does not answer itself.
func (v *visit) pages() {
	for _, page := range []string{"query", "header", "error", "cookies", "abort"} {
		// A panic is answered, unless it asks that the request be aborted.
		a, err := once(v.addr, head("GET", "/panic/"+page+"?token="+v.quoted+"&session_id="+v.quoted, v.named()...))
		if aborted := page == "abort"; aborted != (err != nil) || !aborted && (a.Status != 500 || a.Body != "") {
			v.Errorf("%s: %v, %v", page, a, err)
		}
	}
}

// connects are connections that are not made.
func (v *visit) connects() {
	own := "Origin: http://localhost"
	for _, do := range []string{
		"refuse", "reason", "info", "url", "params", "session", "headers",
		"struct", "pointer", "map", "header", "string", "bytes", "query", "userinfo", "json", "bearer", "fields", "else",
	} {
		for _, path := range []string{"/socket/websocket", "/socket/longpoll", "/reasons/websocket", "/guarded/websocket", "/guarded/longpoll"} {
			lines := slices.Concat(upgradeLines, v.lines(), []string{own, v.tokenLine()})
			a, err := once(v.addr, head("GET", path+v.query(do), lines...))
			switch {
			case path == "/reasons/websocket" && do == "reason": // its ErrorHandler panics
			case err != nil:
				v.Errorf("%s at %s: %v", do, path, err)
			case a.Status != 500 && a.Status != 403 && a.Envelope.Status != 403:
				v.Errorf("%s at %s: %v", do, path, a)
			}
		}
	}
	for _, line := range []string{
		"Sec-WebSocket-Protocol: base64url.bearer.phx." + v.silent + "!", "Sec-WebSocket-Protocol: " + v.silent,
		"Origin: http://foreign.test", "Origin: null\r\nX-Token: " + v.silent,
	} {
		a, err := once(v.addr, head("GET", "/socket/websocket"+v.query(""), slices.Concat(upgradeLines, v.lines(), []string{line})...))
		if err != nil || a.Status != 403 {
			v.Errorf("%s: %v, %v", line, a, err)
		}
	}
}

// channels are joins and events over WebSocket.
func (v *visit) channels() {
	c := wstest.Dial(v.T, "ws://"+v.addr+"/socket/websocket"+v.query(""), append(v.lines(), v.tokenLine())...)
	defer c.Abort()
	payload := func(user string) string {
		return fmt.Sprintf(`{"user":%q,"password":%q,"note":%q,"nested":{"token":%q,%q:1}}`, user, v.quoted, v.silent, v.silent, v.silent)
	}
	kinds := []string{"struct", "pointer", "map", "header", "string", "query", "userinfo", "json", "bearer", "fields", "else"}
	for _, user := range append(kinds, "refuse", "fail") {
		if status, _ := c.Ask("room:panic", "phx_join", payload(user)); status != "error" {
			v.Errorf("join with %s: %s", user, status)
		}
	}
	const topic = "room:1"
	c.Join(topic)
	for _, user := range kinds {
		c.Push(topic, "fail", payload(user))
		c.Push(topic, "info", payload(user))
		c.Push(topic, "go", payload(user))
		c.Push(topic, "cast", payload(user))
		for _, event := range []string{"crash", "panic", "gopanic"} {
			c.Push(topic, event, payload(user))
			c.Event(topic, "phx_error")
			c.Join(topic)
		}
	}
	c.Ask(topic, "told", payload("bob"))
	c.Ask(topic, "valid", payload("bob"))
	c.Ask(topic, "map", fmt.Sprintf(`{%q:"x"}`, v.silent))
	c.Ask(topic, "map", fmt.Sprintf(`[%q]`, v.silent))
	c.Ask(topic, "fail", fmt.Sprintf(`{"user":"bob","n":%q}`, v.silent))
	c.Ask(topic, "fail", fmt.Sprintf(`%q`, v.silent))
	c.Ask(topic, "access_token", fmt.Sprintf(`{"access_token":%q}`, v.quoted))
	c.Ask("phoenix", "access_token", fmt.Sprintf(`{"access_token":[%q]}`, v.silent))
	c.Ask("nowhere", "event", payload("bob"))
	c.Push(topic, "list", payload("bob"))
	c.Push(topic, "unknown", payload("bob"))
	c.Event(topic, "phx_error")
	c.Join(topic)
	c.Ask(topic, "keep", payload("terminate"))
	c.Ask(topic, "phx_leave", payload("bob"))
	c.Ask("phoenix", "heartbeat", "{}")
}

// polls are joins, events and failures over long polling.
func (v *visit) polls() {
	c, err := openSession(v.addr, "/socket/longpoll"+v.query(""), v.lines()...)
	if err != nil {
		v.Error(err)
		return
	}
	defer c.close()
	if err := c.join("room:1"); err != nil {
		v.Error(err)
		return
	}
	payload := fmt.Sprintf(`{"user":"struct","password":%q,"note":%q}`, v.quoted, v.silent)
	var body []string
	for i, event := range []string{"fail", "binary", "info", "go", "cast", "panic"} {
		body = append(body, wstest.V2(`"1"`, fmt.Sprintf(`"%d"`, i+2), "room:1", event, payload))
	}
	if a, err := c.post(ndjson, strings.Join(body, "\n")); want(a, err, 200, 200) != nil {
		v.Error(want(a, err, 200, 200))
	}
	seen := ""
	eventually(v.T, "the channel crashes", func() bool {
		a, err := c.poll()
		if err != nil {
			v.Fatal(err)
		}
		seen += strings.Join(a.Envelope.Messages, "\n")
		return strings.Contains(seen, "phx_error")
	})
}

// malformed is what no server understands.
func (v *visit) malformed() {
	s := v.silent
	for _, text := range []string{
		s, `"` + s, `{"` + s + `":`, `[null,"1","room:1","` + s + `"`, `[null,"1","room:1","fail",{"password":"` + s + `"}`,
		`[` + s + `]`, `{"password":"` + s + `"}`, strings.Repeat("[", 70) + s,
	} {
		c := wstest.Dial(v.T, "ws://"+v.addr+"/socket/websocket?vsn=2.0.0")
		c.Send(wstest.Text(text))
		if code, _ := c.DrainToClose(); code == 0 {
			v.Errorf("%q: no close frame", text)
		}
		for _, kind := range []string{ndjson, plain} {
			p, err := openSession(v.addr, "/socket/longpoll?vsn=2.0.0")
			if err != nil {
				v.Fatal(err)
			}
			if a, err := p.post(kind, text); err != nil || a.Envelope.Status == 200 {
				v.Errorf("%q: %v, %v", text, a, err)
			}
			p.close()
		}
	}
	// What is framed well is answered, and refused all the same.
	for _, text := range []string{
		`[null,"1","room:1","fail",{"password":"` + s + `","n":1e999999}]`, `[null,"1","room:1","fail",{"` + s + `":"\ud800"}]`,
	} {
		c := wstest.Dial(v.T, "ws://"+v.addr+"/socket/websocket?vsn=2.0.0")
		c.Send(wstest.Text(text))
		if m := c.ReplyTo(`"1"`); m.Status != "error" {
			v.Errorf("%q: %v", text, m)
		}
		c.Abort()
	}
	for _, f := range []wstest.Frame{
		wstest.Binary([]byte(s)), {Op: wstest.OpText, Payload: []byte(s + "\xff")}, {Op: 3, Payload: []byte(s)},
		{Op: wstest.OpClose, Payload: append([]byte{0x03, 0xe8}, s...)}, {Op: wstest.OpText, Payload: []byte(s), Unmasked: true},
		{Op: wstest.OpPing, Payload: []byte(strings.Repeat(s, 5))},
	} {
		c := wstest.Dial(v.T, "ws://"+v.addr+"/socket/websocket?vsn=2.0.0")
		c.Send(wstest.Ping(s), f)
		c.DrainToClose()
	}
	for _, text := range []string{
		"GET /socket/websocket?token=" + s + " HTTP/9.9\r\n\r\n", s + "\r\n\r\n", head("GET", "/"+s+"%zz", v.lines()...), head("GET", "/ok", s),
		head("GET", "/socket/longpoll?token="+s+"%ff", v.lines()...), head("GET", "/socket/longpoll?token="+strings.Repeat(s, 400), v.lines()...),
		head("GET", "/socket/websocket", "X-Token: "+strings.Repeat(s, 2000)), head("POST", "/socket/longpoll?token="+s, "Content-Length: "+s),
		head("POST", "/socket/longpoll?token="+s, "Transfer-Encoding: "+s), head("GET", "/socket/longpoll?vsn="+s), head("GET", "/socket/websocket?vsn[]="+s),
	} {
		a, err := once(v.addr, text)
		if err != nil || a.Status < 400 && a.Status != http.StatusOK {
			v.Errorf("%.200q: %v, %v", text, a, err)
		}
	}
	// One that goes away in the middle.
	p, err := dial(v.addr)
	if err != nil {
		v.Fatal(err)
	}
	_ = p.nc.SetDeadline(time.Now().Add(wstest.Patience))
	_, _ = io.WriteString(p.nc, "GET /socket/longpoll?token="+s)
	p.close()
}

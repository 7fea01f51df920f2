package proxies

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/wstest"
)

// longPolls: polls wait out their window behind the proxy, and what happens
// meanwhile ends them.
func longPolls(t *testing.T, p *proxy, s *server) {
	const topic = "room:polled"
	c := &poller{client: newClient(t, p), url: "https://" + p.tlsAddr + "/socket/behind/longpoll"}
	if got := c.poll(t); got.Status != 410 || got.Token == "" {
		t.Fatalf("the first poll: %+v, want 410 with a token", got)
	}
	c.post(t, wstest.V2(`"1"`, `"1"`, topic, "phx_join", "{}"))
	c.want(t, c.poll(t), wstest.OK(`"1"`, `"1"`, topic))

	// This poll is on its way when the broadcast is made, or it finds it there.
	near := wstest.Dial(t, s.ws("/socket/behind/websocket?vsn=2.0.0"), "X-Forwarded-For: 127.0.0.1")
	near.Join(topic)
	polled := make(chan envelope, 1)
	go func() { polled <- c.poll(t) }()
	near.Want(topic, "bc", `{"n":1}`, "ok", "{}")
	c.want(t, <-polled, wstest.Broadcast(topic, "bc", `{"n":1}`))

	// A whole window without a message, 10 s.
	if got := c.poll(t); got.Status != 204 || len(got.Messages) != 0 {
		t.Errorf("a poll without messages: %+v, want 204", got)
	}
	big := `{"big":"` + strings.Repeat("x", 200_000) + `"}`
	c.post(t, wstest.V2(`"1"`, `"2"`, topic, "echo", big))
	c.want(t, c.poll(t), wstest.Reply(`"1"`, `"2"`, topic, "ok", big))
}

// A poller is one client over long polling. It adopts each token it is given.
type poller struct {
	client *http.Client
	url    string
	token  string
}

// envelope is the answer to every request.
type envelope struct {
	Status   int
	Token    string
	Messages []string
}

func (c *poller) poll(t *testing.T) envelope {
	e := c.do(t, "GET", "")
	if e.Token != "" {
		c.token = e.Token
	}
	return e
}

func (c *poller) post(t *testing.T, messages ...string) {
	t.Helper()
	if e := c.do(t, "POST", strings.Join(messages, "\n")); e.Status != 200 {
		t.Errorf("post: status %d", e.Status)
	}
}

// do may run beside the test's goroutine, so it does not end the test.
func (c *poller) do(t *testing.T, method, body string) (e envelope) {
	query := url.Values{"vsn": {"2.0.0"}}
	if c.token != "" {
		query.Set("token", c.token)
	}
	r, err := http.NewRequest(method, c.url+"?"+query.Encode(), strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return e
	}
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-ndjson")
	}
	answer, err := c.client.Do(r)
	if err != nil {
		t.Error(err)
		return e
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		t.Errorf("%s: %s, %q: %v", method, answer.Status, text, err)
	}
	return e
}

// want compares the one message of an answer.
func (c *poller) want(t *testing.T, e envelope, message string) {
	t.Helper()
	if e.Status != 200 || len(e.Messages) != 1 || !sameJSON(t, e.Messages[0], message) {
		t.Fatalf("poll: status %d, %.500q; want %.500q", e.Status, e.Messages, message)
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var texts [2]string
	for i, s := range []string{a, b} {
		var v any
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			t.Fatalf("%.500q: %v", s, err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text)
	}
	return texts[0] == texts[1]
}

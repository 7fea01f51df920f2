package faults

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/bennu-go/bennu/internal/wstest"
)

// abuses are what TestLongPollAbuse does.
var abuses = []abuse{
	posts("8 MB of newlines", ndjson, strings.Repeat("\n", 8_000_000), 400, 0, 0),
	posts("1 MiB of newlines", ndjson, strings.Repeat("\n", abuseBody), 200, 200, 0),
	posts("1 MiB of CRLF", ndjson, strings.Repeat("\r\n", abuseBody/2), 200, 200, 0),
	posts("1 MiB and a byte", ndjson, strings.Repeat("\n", abuseBody+1), 400, 0, 0),
	posts("an empty body", ndjson, "", 200, 200, 0),
	posts("an empty body, not as lines", plain, "", 200, 408, ended),
	posts("1 MiB of brackets", ndjson, strings.Repeat("[", abuseBody), 200, 408, ended),
	posts("1 MiB of brackets, not as lines", plain, strings.Repeat("[", abuseBody), 200, 408, ended),
	posts("a string of 1 MiB", ndjson, `[null,"1","phoenix","heartbeat",{"a":"`+strings.Repeat("a", abuseBody-64)+`"}]`, 200, 200, 1),
	posts("bad base64", ndjson, "not base64", 400, 0, 0),
	posts("bad base64 behind a message", ndjson, heartbeat+"\n@@@@", 400, 0, 0),
	posts("base64 of the URL alphabet", ndjson, "-_-_", 400, 0, 0),
	posts("base64 without its padding", ndjson, "AAA", 400, 0, 0),
	posts("1 MiB of base64 without its padding", ndjson, strings.Repeat("A", abuseBody-1), 400, 0, 0),
	posts("base64 of no message", ndjson, "////", 200, 408, ended),
	posts("1 MiB of base64 of no message", ndjson, strings.Repeat("/", abuseBody), 200, 408, ended),
	posts("10^5 pieces of base64", ndjson, strings.Repeat("AA==\n", 100_000), 200, 408, ended),
	posts("no UTF-8", ndjson, "[\xff]", 400, 0, 0),
	posts("no UTF-8, not as lines", plain, "\xff\xfe", 400, 0, 0),
	posts("an object as a line", ndjson, `{"topic":"phoenix"}`, 400, 0, 0),
	{name: "10^5 heartbeats", body: len(heartbeats), big: true, do: func(_ *server, c *poller) error {
		a, err := c.postBytes(ndjson, heartbeats)
		if err := want(a, err, 200, 200); err != nil {
			return err
		}
		a, err = c.poll()
		if err := want(a, err, 200, 200); err != nil {
			return err
		}
		if n := len(a.Envelope.Messages); n != 100 {
			return fmt.Errorf("%d messages, want 100", n)
		}
		return nil
	}},

	cut("a body cut", []string{"Content-Length: 1000"}, heartbeat, true, 1),
	cut("a body that stalls", []string{"Content-Length: 1000"}, heartbeat, false, 1),
	cut("a body that never begins", []string{"Content-Length: 1000"}, "", false, 1),
	cut("chunks cut", []string{"Transfer-Encoding: chunked"}, "5\r\n[null", true, 1),
	cut("chunks that stall", []string{"Transfer-Encoding: chunked"}, "5\r\n[null\r\n", false, 1),
	cut("chunks that are none", []string{"Transfer-Encoding: chunked"}, "xyz\r\n[null\r\n", false, 1),
	cut("8 MB that are never sent", []string{"Content-Length: 8000000", "Expect: 100-continue"}, "", false, 1),
	cut("two lengths", []string{"Content-Length: 1", "Content-Length: 2"}, "ab", false, 0),
	cut("a length below zero", []string{"Content-Length: -1"}, "", false, 0),
	cut("an unknown encoding", []string{"Transfer-Encoding: gzip, chunked"}, "", false, 0),

	{name: "methods", do: func(s *server, c *poller) error {
		for _, method := range []string{"HEAD", "PUT", "DELETE", "PATCH", "TRACE", "FOO"} {
			a, err := c.ask(head(method, c.path, "X-Phoenix-Longpoll-Token: "+c.token))
			if err != nil || a.Status != 400 || a.Body != "" {
				return fmt.Errorf("%s: %v, %w", method, a, err)
			}
		}
		return c.still(0)
	}},
	{name: "a poll with a body", do: func(s *server, c *poller) error {
		if a, err := c.post(ndjson, heartbeat); err != nil || a.Envelope.Status != 200 {
			return fmt.Errorf("%v, %w", a, err)
		}
		a, err := c.ask(c.getText("Content-Length: 3") + "abc")
		if err := want(a, err, 200, 200); err != nil {
			return err
		}
		if !a.Close {
			return errors.New("the connection goes on, with the body in it")
		}
		return nil
	}},
	{name: "20 polls at once", waits: true, do: pollsAtOnce},
	{name: "50 requests in one write", do: func(_ *server, c *poller) error {
		var b strings.Builder
		for range 50 {
			b.WriteString(c.postText(ndjson, len(heartbeat)) + heartbeat)
		}
		if a, err := c.ask(b.String()); err != nil || a.Envelope.Status != 200 {
			return fmt.Errorf("the first: %v, %w", a, err)
		}
		for i := range 49 {
			if a, err := c.read("POST"); err != nil || a.Envelope.Status != 200 {
				return fmt.Errorf("number %d: %v, %w", i+2, a, err)
			}
		}
		a, err := c.poll()
		if err == nil && len(a.Envelope.Messages) != 50 {
			err = fmt.Errorf("%d messages, want 50", len(a.Envelope.Messages))
		}
		return err
	}},
	{name: "polls that are left", waits: true, do: func(s *server, c *poller) error {
		for range 10 {
			p, err := dial(s.addr)
			if err != nil {
				return err
			}
			_, err = io.WriteString(p.nc, c.getText())
			p.close()
			if err != nil {
				return err
			}
		}
		// One of them may have taken the reply before the server saw that its client
		// had gone. As a rule the session has ended then, so that the client knows of
		// it; but a client that never took up a new token, and whose end TCP has not told
		// of yet, cannot be told from one that got the reply: nothing is left for it.
		a, err := c.post(ndjson, heartbeat)
		if err := want(a, err, 200, 200); err != nil {
			return c.gone()
		}
		if a, err = c.poll(); err == nil && a.Envelope.Status != 410 && a.Envelope.Status != 204 {
			err = want(a, err, 200, 200)
		}
		return err
	}},
	{name: "poll after close", do: func(s *server, c *poller) error {
		const topic = "room:closing"
		if err := c.join(topic); err != nil {
			return err
		}
		// The session ends over this, and the client learns it at once.
		a, err := c.post(ndjson, wstest.V2(`"1"`, `"2"`, topic, "echo", "{")+"\n"+heartbeat)
		if err := want(a, err, 200, 408); err != nil {
			return err
		}
		return c.gone()
	}},
}

// pollsAtOnce asks with one token on many connections: one gets what there is, the others
// nothing. The answer to a poll that newer ones overtake while it is written is cut; then another
// one gets it, or the session is over, so that the client knows.
func pollsAtOnce(s *server, c *poller) error {
	const topic, n = "room:polls", 20
	if err := c.join(topic); err != nil {
		return err
	}
	answers, errs := make([]*answer, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { answers[i], errs[i] = once(s.addr, c.getText()) })
	}
	a, err := c.post(ndjson, wstest.V2(`"1"`, `"2"`, topic, "echo", `{"n":1}`))
	if err == nil {
		err = want(a, nil, 200, 200)
	}
	all.Wait()
	if err != nil {
		return err
	}
	got, cut := 0, 0
	for _, err := range errs {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			cut++
		} else if err != nil {
			return err
		}
	}
	for _, a := range answers {
		switch {
		case a == nil: // cut
		case cut > 0 && a.Envelope.Status == 410:
		case a.Envelope.Status == 200:
			got++
			if want := wstest.Reply(`"1"`, `"2"`, topic, "ok", `{"n":1}`); len(a.Envelope.Messages) != 1 || !sameJSON(a.Envelope.Messages[0], want) {
				return fmt.Errorf("%v, want %s", a, want)
			}
		case a.Envelope.Status != 204 || len(a.Envelope.Messages) != 0:
			return fmt.Errorf("%v, want 200 or 204", a)
		}
	}
	if got == 0 && cut > 0 {
		a, err := c.poll()
		if err == nil && a.Envelope.Status == 200 && len(a.Envelope.Messages) == 1 {
			return nil
		}
		return want(a, err, 200, 410)
	}
	if got != 1 {
		return fmt.Errorf("%d of %d polls got the message, want 1", got, n)
	}
	return nil
}

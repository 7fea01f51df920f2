package transports

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/transporttest"
	"github.com/bennu-go/bennu/wire"
)

func TestLongPoll(t *testing.T) {
	const ends = "a session has no connection, and ends at once, with the polls that wait"
	transporttest.Run(t, func(testing.TB) *transporttest.Harness {
		return &transporttest.Harness{
			New: func(o *transport.LinkOptions) transport.Transport {
				return longpoll.New(&longpoll.Options{
					Window:  time.Minute, // since this client polls in Receive alone
					MaxBody: o.MaxMessage, WriteTimeout: o.WriteTimeout,
					MaxBufferBytes: o.MaxQueueBytes, MaxBufferMessages: o.MaxQueueMessages, MaxSessionsPerAddress: bennu.Unlimited,
				})
			},
			Dial:   dialLongPoll,
			HTTP:   true,
			Stalls: true,
			Except: map[string]string{
				"refuse/ErrorHandler": "it answers 403 in any case",
				"in/empty":            "a post has lines, and empty ones are none",
				"in/largest":          "a post that is too large is refused by itself",
				"in/not UTF-8":        "a post that is malformed is refused by itself",
				"slow/stalled":        "a client that does not poll is given up after a window and a half",
				"close/queued":        ends,
				"idle/closed":         "a client that does not poll is given up after a window and a half",
				"idle/alive":          "a client that does not poll is given up after a window and a half",
				"drain/all":           ends,
				"drain/cut":           ends,
			},
		}
	})
}

// pollClient is a client that polls in Receive.
type pollClient struct {
	to    transporttest.Target
	http  http.Client
	over  context.Context
	end   context.CancelFunc
	inbox []string

	mu    sync.Mutex
	token string
}

func dialLongPoll(_ testing.TB, to transporttest.Target) (transporttest.Client, error) {
	c := &pollClient{to: to}
	c.http.Transport = &http.Transport{} // of its own, to be closed with it
	c.over, c.end = context.WithCancel(context.Background())
	a, err := c.ask(context.Background(), http.MethodGet, nil)
	if err == nil && a.Status != http.StatusGone {
		err = &transporttest.Refused{Status: a.Status, Header: a.header}
	}
	if err == nil && to.First != nil {
		err = c.Send(wire.Text, to.First)
	}
	if err != nil {
		c.Cut()
		return nil, err
	}
	return c, nil
}

// answer is the envelope of an answer. An HTTP status other than 200 has its place too.
type answer struct {
	Status   int
	Token    string
	Messages []string
	header   http.Header
}

func (c *pollClient) ask(ctx context.Context, method string, body []byte) (*answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.over, cancel)()
	r, err := http.NewRequestWithContext(ctx, method, c.to.URL+c.to.Path+"/longpoll?"+c.to.RawQuery, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = c.to.Header.Clone()
	r.Header.Set("Content-Type", "application/x-ndjson")
	c.mu.Lock()
	if c.token != "" {
		r.Header.Set("X-Phoenix-Longpoll-Token", c.token)
	}
	c.mu.Unlock()
	res, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{Status: res.StatusCode, header: res.Header}
	if a.Status == http.StatusOK {
		if err := json.Unmarshal(text, a); err != nil {
			return nil, fmt.Errorf("%q is no envelope: %w", text, err)
		}
	}
	if a.Token != "" && method == http.MethodGet {
		c.mu.Lock()
		c.token = a.Token
		c.mu.Unlock()
	}
	return a, nil
}

func (c *pollClient) Send(op wire.Opcode, data []byte) error {
	if op == wire.Binary {
		data = base64.StdEncoding.AppendEncode(nil, data)
	}
	a, err := c.ask(context.Background(), http.MethodPost, data)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("a post was answered with %d", a.Status)
	}
	return err
}

func (c *pollClient) Receive(ctx context.Context) (wire.Opcode, []byte, error) {
	for len(c.inbox) == 0 {
		if err := errors.Join(ctx.Err(), c.over.Err()); err != nil {
			return 0, nil, err
		}
		a, err := c.ask(ctx, http.MethodGet, nil)
		if err != nil {
			return 0, nil, err
		}
		if a.Status != http.StatusOK && a.Status != http.StatusNoContent {
			c.Cut() // the new session that it offers is not for here
			return 0, nil, io.EOF
		}
		c.inbox = a.Messages
	}
	text := c.inbox[0]
	c.inbox = c.inbox[1:]
	return wire.Text, []byte(text), nil
}

func (c *pollClient) Close() { c.Cut() }

func (c *pollClient) Cut() {
	c.end()
	c.http.CloseIdleConnections()
}

func (c *pollClient) Stall(bool) {}

func (c *pollClient) Code() (transport.CloseCode, bool) { return 0, false }

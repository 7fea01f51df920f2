package channeltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/transporttest"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

// TestTransport tests that the connections of clients keep the laws of transports. They have no
// bounds and no time limits.
func TestTransport(t *testing.T) {
	const unbounded = "a test's client takes everything, whenever that is"
	transporttest.RunInBubble(t, func(testing.TB) *transporttest.Harness {
		return &transporttest.Harness{
			New:  func(o *transport.LinkOptions) transport.Transport { return websocket.New(nil) },
			Dial: dialMemory,

			CloseCodes: true, Orderly: true,
			Except: map[string]string{
				"open/info":       "it is called memory, over whatever transport it asks for",
				"in/largest":      unbounded,
				"in/not UTF-8":    unbounded,
				"idle/closed":     unbounded,
				"leaks/all ends":  unbounded,
				"out/gathered":    "nothing is written",
				"counts/stats":    "it is in memory, and counts for no transport",
				"refuse/busy":     "it is in memory, and counts for no transport",
				"refuse/query":    "it is in memory, and counts for no transport",
				"refuse/connect":  "it is in memory, and counts for no transport",
				"refuse/panic":    "it is in memory, and counts for no transport",
				"panics/receiver": "a test is to see its own panics",
			},
		}
	})
}

// raw is a Client of messages that are not parsed.
type raw struct {
	*Client
	read int // entries of its inbox
}

func dialMemory(_ testing.TB, to transporttest.Target) (transporttest.Client, error) {
	m := &seam.Memory{}
	r := httptest.NewRequest(http.MethodGet, to.Path+"/websocket?"+to.RawQuery, nil)
	r.Header = to.Header.Clone()
	w := httptest.NewRecorder()
	to.Handler.ServeHTTP(w, r.WithContext(seam.WithMemory(r.Context(), m)))
	if m.Receiver == nil {
		return nil, &transporttest.Refused{Status: w.Code, Header: w.Header()}
	}
	e := &Endpoint{Endpoint: to.Handler.(*bennu.Endpoint), bubble: true, changed: make(chan struct{})}
	c := &raw{Client: newClient(e, Options{Name: "client"}, m.Receiver)}
	if to.First != nil {
		return c, c.Send(wire.Text, to.First)
	}
	return c, nil
}

func (c *raw) Send(op wire.Opcode, data []byte) error {
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	if c.gone {
		return errors.New("the connection has ended")
	}
	c.input = append(c.input, frame{op, data})
	c.wakeLocked()
	return nil
}

func (c *raw) Receive(ctx context.Context) (op wire.Opcode, data []byte, err error) {
	c.endpoint.poll(ctx, func() (bool, over) {
		switch unread := c.inbox.unread[c.read:]; {
		case len(unread) > 0:
			c.read++
			data = unread[0].text()
		case c.gone:
			err = io.EOF
		default:
			return false, over{}
		}
		return true, over{}
	})
	return wire.Text, data, errors.Join(err, ctx.Err())
}

// text returns a message as it was received.
func (m *message) text() []byte {
	part := func(text string) string {
		if text == "" {
			return "null"
		}
		quoted, _ := json.Marshal(text) // a string
		return string(quoted)
	}
	payload := string(m.Payload.Data)
	if m.Status != "" {
		payload = fmt.Sprintf(`{"response":%s,"status":%s}`, payload, part(m.Status))
	}
	return fmt.Appendf(nil, `[%s,%s,%s,%s,%s]`, part(m.JoinRef), part(m.Ref), part(m.Topic), part(m.Event), payload)
}

func (c *raw) Close()     { c.leaveOff(transport.ErrClientClosed) }
func (c *raw) Cut()       { c.leaveOff(transport.ErrLost) }
func (c *raw) Stall(bool) {}

func (c *raw) Code() (transport.CloseCode, bool) {
	c.endpoint.mu.Lock()
	defer c.endpoint.mu.Unlock()
	return c.code, c.code != 0
}

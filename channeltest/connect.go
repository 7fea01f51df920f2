package channeltest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/transport"
)

// Options say how a client connects. The zero value and a nil pointer are the
// defaults.
type Options struct {
	// Path is that of the WebSocket. Default "/socket/websocket".
	Path string
	// Params are the client's parameters, beside vsn.
	Params url.Values
	// AuthToken is what a client gives as authToken. The mount must ask for it.
	AuthToken string
	// Header is that of the request: x-headers, Origin, cookies for a web session.
	Header http.Header
	// Request may change the request before it is made: its RemoteAddr, which is
	// "192.0.2.1:1234", its Host, "example.com", its TLS.
	Request func(r *http.Request)
	// Name stands for the client in failure messages. Default "client 1" and so on.
	Name string
}

// Refused is a connection that was refused.
type Refused struct {
	// Status, Header and Body are what the client gets.
	Status int
	Header http.Header
	Body   []byte
	// Err is why: what Connect returned, a *transport.StatusError, or nil where no
	// socket is mounted.
	Err error
}

func (r *Refused) Error() string {
	switch {
	case r.Err != nil:
		return fmt.Sprintf("channeltest: the connection was refused with status %d: %v", r.Status, r.Err)
	case r.Status == http.StatusNotFound:
		return "channeltest: the connection was refused with status 404: no WebSocket is mounted at that path; set Options.Path"
	}
	return fmt.Sprintf("channeltest: the connection was refused with status %d: %s", r.Status, r.Body)
}

// Unwrap returns Err, so that errors.Is finds what Connect returned.
func (r *Refused) Unwrap() error { return r.Err }

// Connect connects a client, or ends the test when it is refused. The checks of the
// mount are made as for a request that came over a network, and Connect and ID are
// called.
//
// When the test ends, the client closes its connection. A channel that has crashed
// and was not expected to fails the test then.
func (e *Endpoint) Connect(t testing.TB, o *Options) *Client {
	t.Helper()
	c, refused := e.connect(t, o)
	if refused != nil {
		t.Fatalf("%v\n%s", refused, e.transcript())
	}
	return c
}

// ExpectRefused wants the connection of a client to be refused.
func (e *Endpoint) ExpectRefused(t testing.TB, o *Options) *Refused {
	t.Helper()
	c, refused := e.connect(t, o)
	if refused == nil {
		t.Fatalf("channeltest: want the connection to be refused: %s was let in\n%s", c.name, e.transcript())
	}
	return refused
}

func (e *Endpoint) connect(t testing.TB, opts *Options) (*Client, *Refused) {
	t.Helper()
	o := Options{}
	if opts != nil {
		o = *opts
	}
	e.mu.Lock()
	e.names++
	if o.Name == "" {
		o.Name = fmt.Sprintf("client %d", e.names)
	}
	e.mu.Unlock()
	w := &response{header: http.Header{}}
	e.ServeHTTP(w, o.request(t))
	if w.receiver == nil {
		return nil, &Refused{Status: w.status, Header: w.header, Body: w.body.Bytes(), Err: w.err}
	}
	c := newClient(e, o.Name, w.receiver)
	t.Cleanup(func() { c.end(t) })
	return c, nil
}

// request is what a client that speaks version 2 would send.
func (o *Options) request(t testing.TB) *http.Request {
	t.Helper()
	params := url.Values{"vsn": {"2.0.0"}}
	for name, values := range o.Params {
		params[name] = values
	}
	path := o.Path
	if path == "" {
		path = "/socket/websocket"
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com"+path+"?"+params.Encode(), nil)
	if err != nil {
		t.Fatalf("channeltest: Options.Path %q: %v", o.Path, err)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	if o.Header != nil {
		r.Header = o.Header.Clone()
	}
	if o.AuthToken != "" {
		token := base64.StdEncoding.EncodeToString([]byte(o.AuthToken))
		offers := append(r.Header.Values("Sec-WebSocket-Protocol"), "phoenix", "base64url.bearer.phx."+strings.TrimRight(token, "="))
		r.Header.Set("Sec-WebSocket-Protocol", strings.Join(offers, ", "))
	}
	if o.Request != nil {
		o.Request(r)
	}
	return r
}

// response is where the answer to a request goes that brings its connection along.
type response struct {
	header   http.Header
	status   int
	body     bytes.Buffer
	receiver transport.Receiver
	err      error
}

// Direct takes what the mount decided.
func (w *response) Direct(receiver transport.Receiver, err error) {
	if err == nil {
		w.receiver = receiver
	}
	w.err = err
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

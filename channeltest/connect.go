package channeltest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/seam"
)

// Options say how a client connects. The zero value, or a nil pointer, means the defaults.
type Options struct {
	// Path is the path of the request, as for one of the transports of the mount. Default
	// "/socket/websocket".
	Path string
	// Params are the parameters of the client. vsn is "2.0.0" unless it is set; no other version
	// can be read.
	Params url.Values
	// AuthToken is sent in a header, as stock clients send their option authToken. The mount must
	// take tokens; see transport.Checks.AuthToken.
	AuthToken string
	// Header is the header of the request, for Origin, x-headers, or the cookie of a web session.
	Header http.Header
	// Request, if not nil, may change the request before it is made, such as its RemoteAddr, which
	// is "192.0.2.1:1234", its Host, which is "example.com", or its TLS.
	Request func(r *http.Request)
	// Name is the name of the client in failures. Default "client 1" and so on.
	Name string
}

// Refused is the answer to a refused connection.
type Refused struct {
	// Status, Header and Body are the answer that the client gets.
	Status int
	Header http.Header
	Body   []byte
	// Err is the reason, which the client does not get: the error of Connect, or a
	// *transport.StatusError of a check. It is nil if no socket is mounted at the path.
	Err error
}

// text describes the refusal, for a failure.
func (r *Refused) text() string {
	switch {
	case r.Err != nil:
		return fmt.Sprintf("channeltest: the connection was refused with status %d: %v", r.Status, r.Err)
	case r.Status == http.StatusNotFound:
		return "channeltest: the connection was refused with status 404: no socket is mounted at that path; set Options.Path"
	}
	return fmt.Sprintf("channeltest: the connection was refused with status %d: %s", r.Status, r.Body)
}

// Connect connects a client, or ends the test if the client is refused. The request passes the same
// checks as one from a network, and then Connect and ID of the socket. o may be nil.
//
// When the test ends, the client closes its connection. If one of its channels has crashed by then
// and ExpectCrash was not called for it, the test fails.
func (e *Endpoint) Connect(t testing.TB, o *Options) *Client {
	t.Helper()
	c, refused := e.connect(t, o)
	if refused != nil {
		t.Fatalf("%s\n%s", refused.text(), e.transcript())
	}
	return c
}

// ExpectRefused connects a client, and ends the test if it is accepted. Refused.Err has the reason.
func (e *Endpoint) ExpectRefused(t testing.TB, o *Options) *Refused {
	t.Helper()
	c, refused := e.connect(t, o)
	if refused == nil {
		t.Fatalf("channeltest: want the connection to be refused: %s was let in\n%s", c.name(), e.transcript())
	}
	return refused
}

// connect makes a client. The endpoint serves its request, which is made in process, like any other; a
// seam.Memory in its context replaces the upgrade.
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
	r, refused := e.accept(t, &o)
	if refused != nil {
		return nil, refused
	}
	c := newClient(e, o, r)
	t.Cleanup(func() { c.end(t) })
	return c, nil
}

// accept makes the request. The result is the receiver of the connection, or the refusal.
func (e *Endpoint) accept(t testing.TB, o *Options) (seam.Receiver, *Refused) {
	t.Helper()
	w, r, m := &response{header: http.Header{}}, o.request(t), &seam.Memory{}
	e.ServeHTTP(w, r.WithContext(seam.WithMemory(r.Context(), m)))
	if m.Receiver == nil {
		return nil, &Refused{Status: w.status, Header: w.header, Body: w.body.Bytes(), Err: m.Err}
	}
	return m.Receiver, nil
}

// request returns the request of a client that speaks version 2.
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

// response is the http.ResponseWriter of the request. Only a refusal writes to it.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
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

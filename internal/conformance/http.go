package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An answer is a whole HTTP response.
type answer struct {
	status  int
	headers http.Header
	body    []byte
}

// request sends one request on a connection of its own and reads the answer.
// A server may answer, and stop reading, before the body is sent.
func request(ctx context.Context, target, method, path string, headers map[string]string, body []byte) (*answer, error) {
	lines := []header{{"Host", target}}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		lines = append(lines, header{name, headers[name]})
	}
	if body != nil || method == "POST" || method == "PUT" {
		lines = append(lines, header{"Content-Length", strconv.Itoa(len(body))})
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	conn.SetDeadline(time.Now().Add(httpPatience))

	wrote := make(chan error, 1)
	go func() {
		_, err := conn.Write(append(head(method, path, lines), body...))
		wrote <- err
	}()
	a, err := readAnswer(conn, method)
	conn.Close() // ends a write that the server does not take
	if werr := <-wrote; err != nil && werr != nil {
		err = fmt.Errorf("%w, after %w", err, werr)
	}
	return a, err
}

func readAnswer(conn net.Conn, method string) (*answer, error) {
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxFrame))
	if err != nil {
		return nil, err
	}
	return &answer{r.StatusCode, r.Header, body}, nil
}

// expected is what a case says of an answer.
type expected struct {
	Status  int                `json:"status"`
	Headers map[string]*string `json:"headers"`
	Body    *string            `json:"body"`
	Exact   json.RawMessage    `json:"exact"`
	JSON    json.RawMessage    `json:"json"`
}

func (m *memory) expectAnswer(a *answer, want *expected) error {
	if a.status != want.Status {
		return differStatus(a.status, want.Status, a.body)
	}
	if err := expectHeaders(a.headers, want.Headers); err != nil {
		return err
	}
	if want.Body != nil && *want.Body != string(a.body) {
		return differ(string(a.body), *want.Body, "got body %s, want %q", quote(a.body), *want.Body)
	}
	if want.Exact != nil {
		w, err := parseJSON(want.Exact)
		if err != nil {
			return err
		}
		if got, err := parseJSON(a.body); err != nil {
			return err
		} else if !match(w, got) {
			return differ(string(a.body), string(want.Exact), "got body %s, want %s", quote(a.body), want.Exact)
		}
	}
	if want.JSON == nil {
		return nil
	}
	w, err := parseJSON(want.JSON)
	if err != nil {
		return err
	}
	got, err := parseJSON(a.body)
	if err != nil {
		return err
	}
	listed, ok := w.(map[string]any)
	object, ok2 := got.(map[string]any)
	if !ok || !ok2 {
		return differ(string(a.body), string(want.JSON), "got body %s, want an object", quote(a.body))
	}
	for _, k := range slices.Sorted(maps.Keys(listed)) {
		if err := m.expectValue(k, listed[k], object[k]); err != nil {
			return err
		}
	}
	return nil
}

// expectHeaders compares headers by lower-case name. Null says that there is none,
// "<rfc6455>" only that there is one.
func expectHeaders(got http.Header, want map[string]*string) error {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		values := got.Values(name)
		switch w := want[name]; {
		case w == nil && values != nil:
			return differ(headerLine(name, values), name+": none", "got header %s: %q, want none", name, values)
		case w == nil:
		case values == nil:
			return differ(name+": none", name+": "+*w, "no header %s", name)
		case *w != "<rfc6455>" && *w != strings.Join(values, ", "):
			return differ(headerLine(name, values), name+": "+*w, "got header %s: %q, want %q", name, values, *w)
		}
	}
	return nil
}

func headerLine(name string, values []string) string { return name + ": " + strings.Join(values, ", ") }

// bodyOf reads the body argument of a case: null, a text, or a text repeated.
func (m *memory) bodyOf(arg json.RawMessage) ([]byte, error) {
	if string(arg) == "null" {
		return nil, nil
	}
	var text string
	if json.Unmarshal(arg, &text) == nil {
		return []byte(m.fill(text)), nil
	}
	var again struct{ Repeat []json.RawMessage }
	var n int
	if err := json.Unmarshal(arg, &again); err != nil {
		return nil, err
	}
	if err := decodeAll(again.Repeat, &text, &n); err != nil {
		return nil, err
	}
	return bytes.Repeat([]byte(text), n), nil
}

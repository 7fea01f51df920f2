package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/wire"
)

// Bounds on one post, in lines and bytes. Phoenix accepts 100 lines, and bennu 1 MiB by default. A
// single message is posted alone, whatever its size.
const (
	maxBatch      = 100
	maxBatchBytes = 1 << 19
)

// quick is the time before which an empty answer shows that the server does not hold polls. It is then
// polled less often.
const quick = 50 * time.Millisecond

// longPolling is a conn. It keeps one poll open, which the server answers when it has messages or after
// its window, and posts messages beside it.
type longPolling struct {
	socket *Socket
	url    *url.URL
	auth   string
	token  atomic.Pointer[string] // of the session, from the latest answer that had one
	ctx    context.Context
	cancel context.CancelFunc

	came  []string // messages of the last poll that are not read yet
	empty int      // empty answers in a row that came quickly
}

// answer is the body of a response. Phoenix answers with HTTP status 200 and puts the status of the
// request into the body.
type answer struct {
	Status   int      `json:"status"`
	Token    string   `json:"token"`
	Messages []string `json:"messages"`
}

// openLongPoll begins a session with a GET without a token, which the server answers with the status 410
// and a token. ctx bounds this request, not the session.
func openLongPoll(ctx context.Context, s *Socket, at *url.URL, auth string) (conn, error) {
	p := &longPolling{socket: s, url: at, auth: auth}
	a, err := p.do(ctx, http.MethodGet, nil, "")
	if err != nil {
		return nil, err
	}
	switch {
	case a.Status != http.StatusGone:
		return nil, &RefusedError{a.Status}
	case a.Token == "":
		return nil, protocolError(errors.New("a session without a token"))
	}
	p.token.Store(&a.Token)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// read returns the next message of the last poll, and polls if there is none.
func (p *longPolling) read() (wire.Opcode, []byte, error) {
	for len(p.came) == 0 {
		start := time.Now()
		a, err := p.bounded(http.MethodGet, nil, "")
		switch {
		case err != nil:
			return 0, nil, err
		case a.Status == http.StatusOK, a.Status == http.StatusNoContent:
			p.came = a.Messages
			if a.Token != "" {
				p.token.Store(&a.Token) // the next request tells bennu by it that this answer has arrived
			}
		case a.Status == http.StatusGone:
			return 0, nil, &CloseError{closeGone, "session_gone"}
		case a.Status == http.StatusForbidden:
			return 0, nil, &CloseError{closeForbidden, "unauthorized"}
		default:
			return 0, nil, &CloseError{closeInternal, fmt.Sprintf("a poll was answered with status %d", a.Status)}
		}
		if err := p.pace(start); err != nil {
			return 0, nil, err
		}
	}
	m := p.came[0]
	p.came[0] = ""
	p.came = p.came[1:]
	return wire.Text, []byte(m), nil
}

// pace waits after empty answers that came quickly, for longer after each.
func (p *longPolling) pace(start time.Time) error {
	if len(p.came) > 0 || time.Since(start) >= quick {
		p.empty = 0
		return nil
	}
	p.empty++
	timer := time.NewTimer(reconnectTable.at(p.empty))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.ctx.Done():
		return fmt.Errorf("client: connection lost: %w", p.ctx.Err())
	}
}

// write posts frames in batches of lines, binary ones in base64. Version 1 has no batches: it posts one
// message at a time.
func (p *longPolling) write(frames []frame) error {
	if p.socket.opts.Version == version1 {
		for _, f := range frames {
			if err := p.post(f.data, "application/json"); err != nil {
				return err
			}
		}
		return nil
	}
	var body []byte
	lines := 0
	for i, f := range frames {
		if lines > 0 {
			body = append(body, '\n')
		}
		if f.op == wire.Binary {
			body = base64.StdEncoding.AppendEncode(body, f.data)
		} else {
			body = append(body, f.data...)
		}
		lines++
		if i+1 < len(frames) && lines < maxBatch && len(body)+base64.StdEncoding.EncodedLen(len(frames[i+1].data)) < maxBatchBytes {
			continue
		}
		if err := p.post(body, "application/x-ndjson"); err != nil {
			return err
		}
		body, lines = nil, 0
	}
	return nil
}

// post sends one body. The server answers when it has handled the messages in it.
func (p *longPolling) post(body []byte, contentType string) error {
	a, err := p.bounded(http.MethodPost, body, contentType)
	switch {
	case err != nil:
		return err
	case a.Status == http.StatusGone:
		return &CloseError{closeGone, "session_gone"}
	case a.Status != http.StatusOK:
		return &CloseError{closeInternal, fmt.Sprintf("a post was answered with status %d", a.Status)}
	}
	return nil
}

// close abandons the session. Long polling has no message for it: the server ends a session that is not
// polled.
func (p *longPolling) close(int, string) { p.cancel() }

// bounded is do within PollTimeout, for a session that is open. It turns errors into a CloseError with
// the code that phoenix.js uses, or into a lost connection.
func (p *longPolling) bounded(method string, body []byte, contentType string) (answer, error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.socket.opts.PollTimeout)
	defer cancel()
	a, err := p.do(ctx, method, body, contentType)
	if err == nil {
		return a, nil
	}
	var refused *RefusedError
	switch {
	case p.ctx.Err() == nil && ctx.Err() != nil:
		return a, &CloseError{closeNoStatus, "timeout"}
	case errors.As(err, &refused):
		return a, &CloseError{closeInternal, fmt.Sprintf("a request was answered with status %d", refused.Status)}
	case errors.Is(err, ErrProtocol):
		return a, err
	}
	return a, fmt.Errorf("client: connection lost: %w", err)
}

// once is the empty body of a poll. net/http repeats a request whose connection breaks, but not one
// with a body of a type that it does not know. A poll must not be repeated: the messages in the first
// answer would be lost unnoticed.
type once struct{}

func (once) Read([]byte) (int, error) { return 0, io.EOF }

// do makes one request. If the body of the answer has no status, because it is not from the server but
// from a proxy, the error is a *RefusedError for an HTTP status from 300 on, and otherwise ErrProtocol.
func (p *longPolling) do(ctx context.Context, method string, body []byte, contentType string) (a answer, err error) {
	at, token := *p.url, p.token.Load()
	if token != nil {
		at.RawQuery += "&token=" + url.QueryEscape(*token) // for servers that do not know the header
	}
	content := io.Reader(bytes.NewReader(body)) // net/http sets Content-Length for this type
	if method == http.MethodGet {
		content = once{}
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), content)
	if err != nil {
		return a, withoutURL(err)
	}
	for name, values := range p.socket.opts.Header {
		req.Header[name] = values
	}
	req.Host = req.Header.Get("Host")
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if p.auth != "" && method == http.MethodGet {
		req.Header.Set(headerAuthToken, p.auth)
	}
	if token != nil {
		req.Header.Set(headerSession, *token)
	}
	resp, err := p.socket.opts.HTTPClient.Do(req)
	if err != nil {
		return a, withoutURL(err)
	}
	defer resp.Body.Close()
	bound := int64(p.socket.opts.MaxMessage)
	text, err := p.readBody(resp.Body, bound)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(text, &a); err == nil && a.Status != 0 {
		return a, nil
	}
	if resp.StatusCode >= 300 {
		return answer{}, &RefusedError{resp.StatusCode}
	}
	return answer{}, protocolError(errors.New("the answer has no status"))
}

func (p *longPolling) readBody(r io.Reader, bound int64) ([]byte, error) {
	if bound == option.Unlimited {
		return io.ReadAll(r)
	}
	text, err := io.ReadAll(io.LimitReader(r, bound+1))
	if err == nil && int64(len(text)) > bound {
		return nil, protocolError(fmt.Errorf("an answer of more than %d bytes", bound))
	}
	return text, err
}

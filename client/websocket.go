package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"

	"github.com/bennu-go/bennu/wire"
)

// closeTime bounds the wait for the server's answer to a close frame.
const closeTime = 2 * time.Second

// The subprotocols that carry a token, as Phoenix 1.8 defines them. In spite of the prefix, the token is
// in the standard alphabet of base64, without padding.
const (
	tokenProtocol = "phoenix"
	tokenPrefix   = "base64url.bearer.phx."
)

// webSocketConn is a conn over a WebSocket.
type webSocketConn struct {
	conn   *websocket.Conn
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
}

// openWebSocket connects. ctx bounds the handshake, not the connection. The error is a *RefusedError if
// the server answers with another status than 101.
func openWebSocket(ctx context.Context, s *Socket, at *url.URL, token string) (conn, error) {
	opts := &websocket.DialOptions{HTTPClient: s.opts.HTTPClient, HTTPHeader: s.opts.Header.Clone()}
	opts.Host = opts.HTTPHeader.Get("Host")
	if token != "" {
		opts.Subprotocols = []string{tokenProtocol, tokenPrefix + base64.RawStdEncoding.EncodeToString([]byte(token))}
	}
	c, response, err := websocket.Dial(ctx, at.String(), opts)
	if err != nil {
		if response == nil {
			return nil, withoutURL(err)
		}
		if response.StatusCode != http.StatusSwitchingProtocols {
			return nil, &RefusedError{response.StatusCode}
		}
		return nil, protocolError(errors.New("the handshake is wrong"))
	}
	c.SetReadLimit(int64(s.opts.MaxMessage))
	w := &webSocketConn{conn: c}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w, nil
}

// withoutURL removes the URL from an error of net/http, since the parameters in its query may be secret.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (w *webSocketConn) read() (wire.Opcode, []byte, error) {
	kind, data, err := w.conn.Read(w.ctx)
	if err != nil {
		return 0, nil, readError(err)
	}
	if kind == websocket.MessageBinary {
		return wire.Binary, data, nil
	}
	return wire.Text, data, nil
}

// readError returns a *CloseError for a close frame, an error of a lost connection for those of the
// network, and ErrProtocol for all others.
func readError(err error) error {
	var (
		closed  websocket.CloseError
		network net.Error
	)
	switch {
	case errors.As(err, &closed):
		return &CloseError{Code: int(closed.Code), Reason: closed.Reason}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, context.Canceled), errors.As(err, &network):
		return fmt.Errorf("client: connection lost: %w", err)
	}
	return protocolError(err)
}

func (w *webSocketConn) write(frames []frame) error {
	for _, f := range frames {
		kind := websocket.MessageText
		if f.op == wire.Binary {
			kind = websocket.MessageBinary
		}
		if err := w.conn.Write(w.ctx, kind, f.data); err != nil {
			return readError(err)
		}
	}
	return nil
}

// close sends a close frame and waits for the server's answer, up to closeTime. Then it ends read and
// write by their context.
func (w *webSocketConn) close(code int, reason string) {
	timer := time.AfterFunc(closeTime, w.cancel)
	_ = w.conn.Close(websocket.StatusCode(code), reason)
	timer.Stop()
	w.cancel()
	_ = w.conn.CloseNow()
}

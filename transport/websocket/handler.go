package websocket

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
)

// handler upgrades the requests of one mount. It implements seam.Handler.
type handler struct {
	srv  *server
	host *seam.Host
	lim  *limits
}

// handler returns the handler of a mount. The error names an option that is out of bounds.
func (s *server) handler(host *seam.Host, opts *Options) (*handler, error) {
	l, err := s.limits(opts)
	if err != nil {
		return nil, err
	}
	for _, p := range host.Checks.Subprotocols {
		if !isToken(p) {
			return nil, fmt.Errorf("websocket: subprotocol %q is not a token of HTTP", p)
		}
	}
	return &handler{srv: s, host: host, lim: l}, nil
}

// Begins implements seam.Handler: every request asks for a connection.
func (h *handler) Begins(*http.Request) bool { return true }

// bodyTime bounds how long the server reads a body, which no upgrade has.
const bodyTime = 5 * time.Second

// Serve implements seam.Handler. It returns when the request is answered or upgraded; the
// connection goes on in a goroutine of the server.
//
// Clients can observe the order: the method, the mount's checks, Connect, and only then the headers
// of the upgrade.
// The connection counts as refused in Stats unless it is upgraded.
func (h *handler) Serve(w http.ResponseWriter, r *http.Request, vars map[string]string) {
	if r.ContentLength != 0 {
		// Without this net/http would read the body before it sends the answer.
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	}
	upgraded := false
	defer func() {
		if !upgraded {
			h.srv.stats.Refused.Add(1)
		}
	}()
	upgraded = h.serve(w, r, vars)
}

// serve reports whether the request was upgraded. Otherwise it has answered it.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, vars map[string]string) bool {
	if r.Method != http.MethodGet {
		h.host.Book.Say(notice.Method, h.host.About(r, notice.Foreign("method", r.Method))...)
		seam.Refuse(w, http.StatusBadRequest)
		return false
	}
	if !h.srv.enter() {
		h.host.Book.Say(notice.Draining, h.host.About(r)...)
		seam.RefuseBusy(w)
		return false
	}
	defer h.srv.goroutines.Done()
	info, err := h.host.Check(r, vars)
	if err != nil {
		h.host.Refuse(w, r, err)
		return false
	}
	subprotocol := info.Subprotocol
	receiver, err := h.host.Ask(w, r, info)
	if err != nil {
		h.host.Refuse(w, r, err)
		return false
	}
	key, err := upgradeKey(r)
	if err != nil {
		h.host.Book.Say(notice.UpgradeHeaders, h.host.About(r, slog.String("error", err.Error()))...)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	h.srv.makeRoom()
	return h.upgrade(w, r, key, subprotocol, receiver)
}

// upgrade answers 101 and starts the connection, which keeps nothing of the request.
func (h *handler) upgrade(w http.ResponseWriter, r *http.Request, key, subprotocol string, receiver seam.Receiver) bool {
	nc, rw, err := switchProtocols(w, r.Host, key, subprotocol, h.lim.write)
	if err != nil {
		why := slog.String("error", err.Error())
		if nc != nil {
			h.host.Book.Say(notice.Gone, h.host.About(r, why)...)
			_ = nc.Close()
		} else {
			h.host.Book.Say(notice.Hijack, h.host.About(r, why)...)
		}
		return false
	}
	h.srv.open(nc, receiver, h.lim, buffered(rw.Reader))
	return true
}

// buffered returns a copy of the bytes that arrived right after the handshake, so that the reader
// and its buffer can be collected.
func buffered(r *bufio.Reader) []byte {
	n := r.Buffered()
	if n == 0 {
		return nil
	}
	p, _ := r.Peek(n)
	return bytes.Clone(p)
}

package longpoll

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/clientaddr"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// Headers of requests, in the canonical form of net/http.
const (
	tokenHeader = "X-Phoenix-Longpoll-Token"
	// ackHeader with the value 1, in the request that makes a session, says that the client adopts
	// the token of each answer and repeats a poll whose answer it missed, so that not even the
	// first batch can be lost.
	ackHeader = "X-Bennu-Longpoll-Ack"
)

// handler serves the requests of one mount. It implements seam.Handler.
type handler struct {
	srv   *server
	host  *seam.Host
	index uint32 // number of the mount, the same on all nodes that run the same program
	lim   *limits
}

// handler returns the handler of a mount. The error names an option that is out of bounds. Nodes
// that serve each other's sessions must call it in the same order.
func (s *server) handler(host *seam.Host, opts *Options) (*handler, error) {
	if s.options.Err != nil {
		return nil, s.options.Err
	}
	l, err := opts.limits()
	if err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &Options{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fitPosts(opts, l); err != nil {
		return nil, err
	}
	h := &handler{srv: s, host: host, lim: l, index: s.mounts}
	s.mounts++
	return h, nil
}

// Begins implements seam.Handler: a poll or a post with a token does not begin a session.
func (h *handler) Begins(r *http.Request) bool {
	_, token := r.Header[tokenHeader]
	return r.Method == http.MethodGet && !token && !strings.Contains("&"+r.URL.RawQuery, "&"+sessionParam+"=")
}

// Serve implements seam.Handler, for OPTIONS, a GET that makes or polls a session, and a POST. It
// returns when the request is answered, which for a poll may take the window.
//
// After the checks, which are the same for all, a request is one of these:
//
//	OPTIONS            the preflight of a page of another origin, answered from the request alone
//	GET, no token      makes a session: Connect is called, and the answer has its token
//	GET, a token       a poll, of a session here or on another server
//	POST, a token      messages, for a session here or on another server
//
// A GET whose token is of no session makes a new one. A POST without a session is answered with 410.
func (h *handler) Serve(w http.ResponseWriter, r *http.Request, vars map[string]string) {
	// Set before any check, so that a page can read why it is refused.
	allowOrigin(w, "")
	if r.ContentLength != 0 && r.Method != http.MethodPost {
		// Without this net/http would read the body before it sends the answer.
		w.Header().Set("Connection", "close")
		defer boundRest(w)
	}
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodOptions:
	default:
		h.host.Book.Say(notice.Method, h.host.About(r, notice.Foreign("method", r.Method))...)
		seam.Refuse(w, http.StatusBadRequest)
		return
	}
	if !h.srv.work.enter() {
		h.host.Book.Say(notice.Draining, h.host.About(r)...)
		h.srv.stats.Refused.Add(1)
		seam.RefuseBusy(w)
		return
	}
	defer h.srv.work.leave()
	info, ok := h.check(w, r, vars)
	if !ok {
		h.srv.stats.Refused.Add(1)
		return
	}
	switch r.Method {
	case http.MethodGet:
		h.get(w, r, info)
	case http.MethodPost:
		h.post(w, r, info)
	default:
		header := w.Header()
		header.Set("Access-Control-Allow-Headers", strings.Join(r.Header["Access-Control-Request-Headers"], ", "))
		header.Set("Access-Control-Allow-Methods", "get, post, options")
		header.Set("Access-Control-Max-Age", "3600")
		seam.Refuse(w, http.StatusOK)
	}
}

// check makes the mount's checks. It reports false when it has answered the request.
func (h *handler) check(w http.ResponseWriter, r *http.Request, vars map[string]string) (*transport.ConnectInfo, bool) {
	info, err := h.host.Check(r, vars)
	if err == nil {
		if lines := r.Header["Origin"]; len(lines) > 0 {
			allowOrigin(w, lines[0])
		}
		return info, true
	}
	status := http.StatusInternalServerError
	if se, ok := errors.AsType[*transport.StatusError](err); ok {
		status = se.Status
	}
	if r.Method == http.MethodPost {
		discard(w, r)
	}
	if status == http.StatusForbidden {
		h.answerStatus(w, statusForbidden)
	} else {
		seam.Refuse(w, status)
	}
	return nil, false
}

// token returns the token of a request, and whether it is valid. A header counts even if it is no
// token.
//
// The token is in a header, or in the parameter "token" of older clients. A GET without a token, or
// with text that is no token in that parameter, is a request for a session.
func (h *handler) token(r *http.Request, info *transport.ConnectInfo) (token, bool) {
	var text string
	if lines, ok := r.Header[tokenHeader]; ok {
		text = lines[0]
	} else if text, ok = info.Params.String(sessionParam); r.Method == http.MethodGet {
		if !ok || isForeign(text) && seam.TokenElsewhere(info) {
			return token{}, false // a request for a session
		}
	}
	t, ok := h.srv.keys.open(text)
	if !ok && !h.isAuthToken(info, text) {
		h.host.Book.Say(notice.SessionToken, h.host.About(r)...)
		h.srv.stats.badTokens.Add(1)
	}
	return t, ok
}

// isForeign reports whether a text does not even have the form of a token: then it is a parameter
// of the client's own.
func isForeign(text string) bool {
	if text == "" || text == "null" || text == "undefined" {
		return false // stock clients send these when they have no token
	}
	b, err := tokenEncoding.DecodeString(text)
	return err != nil || len(b) < tokenFixed || len(b) > tokenFixed+maxNode || b[0] != tokenVersion
}

// sessionParam is the parameter with the token of the session.
const sessionParam = "token"

// isAuthToken reports whether the text in place of the session's token is the client's auth token,
// which may have the same name.
func (h *handler) isAuthToken(info *transport.ConnectInfo, text string) bool {
	return h.host.Checks.TokenParam == sessionParam && info.AuthToken != nil && *info.AuthToken == text
}

// find returns the session of a token if it is on this server and of this mount. elsewhere says
// that another server may have it.
func (h *handler) find(r *http.Request, t *token) (s *session, elsewhere bool) {
	if t.boot != h.srv.boot {
		return nil, true
	}
	s = h.srv.session(t.session)
	if s != nil && s.mount != h {
		h.host.Book.Say(notice.SessionToken, h.host.About(r)...)
		h.srv.stats.badTokens.Add(1)
		return nil, false
	}
	if s == nil {
		h.host.Book.Say(notice.SessionGone, h.host.About(r)...)
	}
	return s, false
}

// get answers a poll, or makes a session for a request without a valid token.
func (h *handler) get(w http.ResponseWriter, r *http.Request, info *transport.ConnectInfo) {
	if t, ok := h.token(r, info); ok {
		// Otherwise the read timeout of the http.Server would look like the end of the client.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		s, elsewhere := h.find(r, &t)
		if s != nil && h.poll(w, r, s, &t) || elsewhere && h.relayPoll(w, r, &t) {
			return
		}
		if s != nil || elsewhere { // otherwise find has logged it
			h.host.Book.Say(notice.SessionGone, h.host.About(r)...)
		}
	}
	h.create(w, r, info)
}

// create makes a session. As in Phoenix, the answer has status 410, as if the client had lost one,
// and the token.
func (h *handler) create(w http.ResponseWriter, r *http.Request, info *transport.ConnectInfo) {
	if h.host.Checks.TokenParam == sessionParam {
		delete(info.Params, sessionParam) // the checks leave it for the session
	}
	addr := h.clientAddr(r)
	if !h.srv.addresses.Add(addr, h.lim.perAddress) {
		h.srv.stats.addressLimited.Add(1)
		h.host.Book.Say(notice.SessionsPerAddress, h.host.About(r, notice.Foreign("counted_as", addr), slog.Int("limit", h.lim.perAddress))...)
		seam.RefuseBusy(w)
		return
	}
	var s *session
	defer func() {
		if s == nil {
			h.srv.stats.Refused.Add(1)
		}
	}()
	if s = h.open(w, r, info, addr); s != nil {
		_ = h.answer(w, statusGone, h.srv.seal(s.id, 0), nil, nil)
	}
}

// open makes a session, or answers the request and returns nil. The caller has taken a slot of the
// address, which open gives back or leaves to the session.
//
// It waits until Receiver.Opened has returned, since that may close the session at once, for instance
// because its id was disconnected. Then the client gets an error, and not a token of no use.
func (h *handler) open(w http.ResponseWriter, r *http.Request, info *transport.ConnectInfo, addr string) *session {
	var s *session
	defer func() {
		if s == nil {
			h.srv.addresses.Remove(addr)
		}
	}()
	receiver, ok := h.accept(w, r, info)
	if !ok {
		return nil
	}
	if r.Context().Err() != nil { // the client has gone and will not poll
		h.host.Book.Say(notice.Gone, h.host.About(r)...)
		seam.RefuseBusy(w)
		return nil
	}
	// From here on the session owns the slot of the address.
	made, opened := newSession(h, receiver, addr, adopts(r))
	if !h.srv.add(made) {
		h.host.Book.Say(notice.Draining, h.host.About(r)...)
		seam.RefuseBusy(w)
		return nil
	}
	s = made
	s.start()
	<-opened
	select {
	case <-s.done: // the receiver closed it or panicked, or the server closes
		if blames(s.code) {
			seam.Refuse(w, http.StatusInternalServerError)
		} else {
			seam.RefuseBusy(w)
		}
		return nil
	default:
		return s
	}
}

// accept calls the acceptor. If that refuses, it answers the request and reports false.
func (h *handler) accept(w http.ResponseWriter, r *http.Request, info *transport.ConnectInfo) (receiver seam.Receiver, ok bool) {
	receiver, err := h.host.Ask(w, r, info)
	switch {
	case err == nil:
		return receiver, true
	case errors.Is(err, transport.ErrBusy), errors.Is(err, transport.ErrPanic):
		h.host.Refuse(w, r, err)
	default: // as in Phoenix, clients of long polling get no reason
		h.answerStatus(w, statusForbidden)
	}
	return nil, false
}

// clientAddr returns the address that the sessions of a client count for.
func (h *handler) clientAddr(r *http.Request) string {
	return clientaddr.Of(r, h.host.ClientAddress)
}

// adopts reports whether the client of a request that makes a session is known to adopt the token of
// each answer. Clients in browsers do: all of them are phoenix.js. It does not repeat polls, but a
// browser repeats a GET by itself when the connection breaks before the answer arrives.
func adopts(r *http.Request) bool {
	return r.Header.Get(ackHeader) == "1" || strings.HasPrefix(r.UserAgent(), "Mozilla/") || r.Header.Get("Sec-Fetch-Mode") != ""
}

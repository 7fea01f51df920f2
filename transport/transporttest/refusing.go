package transporttest

import (
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
)

var refusing = []check{
	{
		name: "refuse/query",
		law:  "parameters that cannot be read are refused with 400, and a query of 9 KiB with 414",
		body: func(s *suite) {
			s.start(setup{})
			s.refused(Target{RawQuery: "vsn=2.0.0&a=%ff"}, http.StatusBadRequest)
			s.refused(Target{RawQuery: "vsn=2.0.0&a=" + strings.Repeat("x", 9<<10)}, http.StatusRequestURITooLong)
			s.nothingOpened(2)
		},
	},
	{
		name: "refuse/origin",
		law:  "a page of another origin is refused with 403",
		only: onHTTP,
		body: func(s *suite) {
			s.start(setup{})
			s.refused(Target{Header: http.Header{"Origin": {"https://evil.example"}}}, http.StatusForbidden)
			s.nothingOpened(1)
		},
	},
	{
		name: "refuse/connect",
		law:  "ErrRefused of Connect is answered with 403, ErrBusy with 503 and a Retry-After, another error as the mount's ErrorHandler says",
		body: refuseConnect,
	},
	{
		name: "refuse/panic",
		law:  "a panic of Connect, and runtime.Goexit, refuse one client, with 500",
		body: func(s *suite) {
			var burst cell[func()]
			s.start(setup{hooks: hooks{connect: func(*bennu.ConnectInfo) error { burst.get()(); return nil }}})
			burst.set(func() { panic("the bubble bursts") })
			s.refused(Target{}, http.StatusInternalServerError)
			burst.set(runtime.Goexit)
			s.refused(Target{}, http.StatusInternalServerError)
			s.nothingOpened(2)
			burst.set(func() {})
			s.alive(s.connect())
		},
	},
	{
		name: "refuse/busy",
		law:  "a client that would be one too many is refused with 503, and let in when there is room again",
		body: func(s *suite) {
			s.start(setup{endpoint: bennu.EndpointOptions{Limits: bennu.NodeLimits{Connections: 1}}})
			c, p := s.connect()
			s.refused(Target{}, http.StatusServiceUnavailable)
			p.close(transport.CloseGoingAway)
			p.end()
			c.Cut()
			s.connect()
		},
	},
}

// nothingOpened checks that refusals have left no connection.
func (s *suite) nothingOpened(refused uint64) {
	s.Helper()
	s.until("refusals are counted", func() bool { return s.stats().Refused >= refused })
	if st := s.stats(); st.Opened != 0 || st.Open != 0 || st.Refused != refused {
		s.Errorf("after %d refusals Opened is %d, Open %d and Refused %d", refused, st.Opened, st.Open, st.Refused)
	}
	if n := len(s.peers); n != 0 {
		s.Errorf("%d connections were opened, all were refused", n)
	}
}

// errReason is an error of Connect.
var errReason = errors.New("the wrong kind of client")

func refuseConnect(s *suite) {
	var answer cell[error]
	s.start(setup{
		hooks: hooks{connect: func(*bennu.ConnectInfo) error { return answer.get() }},
		socket: bennu.SocketOptions{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if errors.Is(err, errReason) {
				w.WriteHeader(http.StatusTeapot)
			}
		}},
	})
	answer.set(bennu.ErrRefused)
	s.refused(Target{}, http.StatusForbidden)
	answer.set(transport.ErrBusy)
	if r := s.refused(Target{}, http.StatusServiceUnavailable); r != nil && r.Header != nil {
		if n, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || n < 1 || n > 5 {
			s.Errorf("the header Retry-After is %q, want 1 to 5", r.Header.Get("Retry-After"))
		}
	}
	answer.set(errReason)
	if s.Except[errorHandler] != "" {
		s.refused(Target{}, http.StatusForbidden)
	} else {
		s.refused(Target{}, http.StatusTeapot)
	}
	s.nothingOpened(3)
	answer.set(nil)
	s.alive(s.connect())
}

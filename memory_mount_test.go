package bennu_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// TestMemory has a connection in the context of a request: it is accepted with the mount's checks
// and Connect, as one of the transport memory, whatever transport is mounted at the path.
func TestMemory(t *testing.T) {
	banned := errors.New("banned")
	for name, tc := range map[string]struct {
		path, query, origin string
		connect             error
		panics              bool
		status              int // 0 for no answer
		err                 error
	}{
		"accepted":      {path: "websocket"},
		"at long polls": {path: "longpoll"},
		"banned":        {path: "websocket", connect: banned, status: 429, err: banned},
		"refused":       {path: "websocket", connect: bennu.ErrRefused, status: 403, err: bennu.ErrRefused},
		"busy":          {path: "websocket", connect: transport.ErrBusy, status: 503, err: transport.ErrBusy},
		"panics":        {path: "websocket", panics: true, status: 500, err: transport.ErrPanic},
		"origin":        {path: "websocket", origin: "http://evil.example", status: 403, err: transport.ErrOrigin},
		"parameters":    {path: "websocket", query: "&a=%ff", status: 400},
	} {
		t.Run(name, func(t *testing.T) {
			users := one("*", rooms())
			users.Connect = func(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
				if s.Transport() != "memory" || info.Transport != "memory" {
					t.Errorf("transport %q, %q", s.Transport(), info.Transport)
				}
				if tc.panics {
					panic("boom")
				}
				return tc.connect
			}
			e := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)})
			e.Socket("/socket", users, &bennu.SocketOptions{
				Transports:   both,
				ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusTooManyRequests) },
			})
			r := httptest.NewRequest(http.MethodGet, "/socket/"+tc.path+"?vsn=2.0.0"+tc.query, nil)
			if tc.origin != "" {
				r.Header.Set("Origin", tc.origin)
			}
			m, w := &seam.Memory{}, &httptest.ResponseRecorder{}
			e.ServeHTTP(w, r.WithContext(seam.WithMemory(r.Context(), m)))
			if (m.Receiver != nil) != (tc.status == 0) || w.Code != tc.status || tc.err != nil && !errors.Is(m.Err, tc.err) || (m.Err == nil) != (tc.status == 0) {
				t.Errorf("receiver %v, error %v, status %d", m.Receiver, m.Err, w.Code)
			}
		})
	}
}

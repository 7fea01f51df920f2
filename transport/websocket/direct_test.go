package websocket_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// directWriter is a ResponseWriter that brings its connection.
type directWriter struct {
	*httptest.ResponseRecorder
	receiver seam.Receiver
	err      error
	calls    int
}

func (w *directWriter) Direct(r seam.Receiver, err error) {
	w.receiver, w.err = r, err
	w.calls++
}

func TestDirect(t *testing.T) {
	banned := errors.New("banned")
	for _, tt := range []struct {
		name   string
		accept acceptFunc
		origin string
		status int // 0 for no answer
		err    error
	}{
		{"accepted", acceptEcho, "", 0, nil},
		{"refused", func(*transport.ConnectInfo) (seam.Receiver, error) { return nil, banned }, "", 403, banned},
		{"origin", acceptEcho, "http://evil.example", 403, transport.ErrOrigin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			h, err := s.Handler(tt.accept, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil) // none of an upgrade
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			w := &directWriter{ResponseRecorder: &httptest.ResponseRecorder{}}
			h.Serve(w, r, nil)
			if w.calls != 1 || !errors.Is(w.err, tt.err) || (w.receiver != nil) != (tt.status == 0) || w.Code != tt.status {
				t.Errorf("%d calls with %v, %v; status %d", w.calls, w.receiver, w.err, w.Code)
			}
			if stats := s.Stats(); stats.Open != 0 || stats.Refused != uint64(min(tt.status, 1)) {
				t.Errorf("%+v", stats)
			}
		})
	}
}

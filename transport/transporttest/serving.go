package transporttest

import (
	"context"
	"net/http"
	"time"
)

var serving = []check{
	{
		name: "server/timeouts",
		law:  "a connection outlives ReadTimeout and WriteTimeout of its http.Server: who serves it in a handler clears the deadlines first",
		only: onHTTP,
		body: func(s *suite) {
			const timeout = 2 * time.Second // long enough for a handshake on a machine that is busy
			s.start(setup{server: func(h *http.Server) { h.ReadTimeout, h.WriteTimeout = timeout, timeout }})
			c, p := s.connect()
			time.Sleep(timeout * 3 / 2)
			if !p.isOpen() {
				s.Fatalf("the connection has ended: %v", p.end())
			}
			s.alive(c, p)
		},
	},
	{
		name: "server/shutdown",
		law:  "http.Server.Shutdown returns when Endpoint.Shutdown runs beside it",
		only: onHTTP,
		body: func(s *suite) {
			s.start(setup{})
			c, _ := s.connect()
			stopped := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), s.patience())
				defer cancel()
				stopped <- s.server.Shutdown(ctx)
			}()
			<-s.shuttingDown()
			c.rest()
			if err := <-stopped; err != nil {
				s.Errorf("http.Server.Shutdown: %v", err)
			}
		},
	},
	{
		name: "server/middleware",
		law:  "an endpoint may stand behind http.StripPrefix and middleware that wraps the ResponseWriter and has a method Unwrap",
		only: onHTTP,
		body: func(s *suite) {
			s.start(setup{wrap: func(h http.Handler) http.Handler {
				return http.StripPrefix("/below", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					h.ServeHTTP(&wrapped{w}, r)
				}))
			}})
			s.alive(s.connectTo(Target{Path: "/below" + clientPath}))
		},
	},
}

// wrapped is a ResponseWriter without optional methods, except Unwrap.
type wrapped struct{ w http.ResponseWriter }

func (w *wrapped) Header() http.Header         { return w.w.Header() }
func (w *wrapped) Write(p []byte) (int, error) { return w.w.Write(p) }
func (w *wrapped) WriteHeader(status int)      { w.w.WriteHeader(status) }
func (w *wrapped) Unwrap() http.ResponseWriter { return w.w }

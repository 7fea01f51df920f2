package main

import (
	"log/slog"
	"net/http"
)

// logged is a middleware that wraps the ResponseWriter.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(s, r)
		// The path alone: the query of a socket's URL may hold a token.
		slog.Info("request", "method", r.Method, "path", r.URL.Path, "status", s.status)
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the wrapped writer. Without it no WebSocket
// can open.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

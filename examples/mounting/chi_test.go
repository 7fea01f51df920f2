package main

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// newRouter is newMux with chi.
func newRouter(endpoint http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer) // and others that leave the writer alone, or unwrap
	r.Group(func(r chi.Router) {
		r.Use(middleware.Compress(5), middleware.StripSlashes) // for pages alone
		r.Get("/", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, "the application's own page")
		})
	})
	r.Handle("/socket/*", endpoint)
	return r
}

// newVersions has the endpoint below a route. The path of the request does not change, so
// the mount's path is the whole path: newEndpoint("/api/socket").
func newVersions(endpoint http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Route("/api", func(r chi.Router) {
		r.Mount("/socket", endpoint)
	})
	return r
}

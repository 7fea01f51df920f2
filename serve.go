package bennu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
)

// The limits of Endpoint.Server.
const (
	serverHeaderTimeout = 5 * time.Second
	serverIdleTimeout   = 2 * time.Minute
	serverMaxHeader     = 64 << 10 // bytes
)

// serveGrace is how long Serve may take for a shutdown, beside DrainTime.
const serveGrace = 5 * time.Second

// Server returns an http.Server for the endpoint with the limits that a server on the open internet
// needs: 5 s to read the header of a request, 64 KiB for it, and 2 minutes for an idle connection.
// The limits do not apply to a WebSocket once it is open.
func (e *Endpoint) Server() *http.Server {
	return &http.Server{
		Handler:           e,
		ReadHeaderTimeout: serverHeaderTimeout,
		IdleTimeout:       serverIdleTimeout,
		MaxHeaderBytes:    serverMaxHeader, // more than transport.Checks take, which say what they refuse
		ErrorLog:          slog.NewLogLogger(e.log.HandlerOf("net/http"), slog.LevelDebug),
	}
}

// Serve runs a Server on ln until ctx ends, and then shuts the endpoint down. That takes up to
// DrainTime and 5 s, and the time of functions of OnShutdown. It returns nil after an orderly end,
// and closes ln in any case.
//
// Serve may run on several listeners at once. The first that ends, or a call of Shutdown, ends all
// of them. When Serve is called after that, it returns an error that wraps http.ErrServerClosed.
func (e *Endpoint) Serve(ctx context.Context, ln net.Listener) error {
	if nils.Is(ln) {
		return errors.New("bennu: Serve needs a listener, such as net.Listen returns")
	}
	if e.sockets.isClosed() {
		_ = ln.Close()
		return errServerClosed
	}
	e.beginServing(nil, ln.Addr())
	server := e.Server()
	failed := make(chan error, 1)
	var serving sync.WaitGroup
	serving.Go(func() { failed <- server.Serve(ln) })
	var err error
	select {
	case err = <-failed: // never nil, and not yet http.ErrServerClosed
		if errors.Is(err, net.ErrClosed) && e.sockets.isClosed() {
			err = nil // another Serve on the same listener has closed it
		}
	case <-ctx.Done():
	case <-e.ending:
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(0, e.options.DrainTime)+serveGrace)
	defer cancel()
	// The server stops listening first, and waits for requests that are being answered. It does not
	// know of WebSockets, which the endpoint drains meanwhile.
	stopped := make(chan error, 1)
	serving.Go(func() { stopped <- server.Shutdown(grace) })
	shutdown := e.Shutdown(grace)
	if stop := <-stopped; stop != nil && !errors.Is(stop, net.ErrClosed) {
		err = errors.Join(err, stop, server.Close())
	}
	serving.Wait()
	return errors.Join(err, shutdown)
}

// errServerClosed is the error of a Serve that is called after Shutdown. It is an
// http.ErrServerClosed, too.
var errServerClosed = fmt.Errorf("bennu: the endpoint is shut down; make a new one to serve again: %w", http.ErrServerClosed)

// beginServing logs the limits, and warns of settings that are risky on a network. It is called by
// Serve, and for the first request. r is nil in Serve; address is that of the listener, or nil.
// Only the first call does anything, and no other waits for it, since the program's log may be
// slow.
func (e *Endpoint) beginServing(r *http.Request, address net.Addr) {
	if e.serving.Load() || e.serving.Swap(true) {
		return
	}
	e.sayLimits()
	e.warnOfHost(address)
	if r == nil {
		return
	}
	// A client that sends its header slowly could hold a connection of a server without these timeouts forever.
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if server != nil && server.ReadHeaderTimeout == 0 && server.ReadTimeout == 0 {
		e.log.Log(slog.LevelWarn, "the http.Server has no ReadHeaderTimeout, so anyone can hold its connections open; use Endpoint.Serve or Endpoint.Server, or set it")
	}
}

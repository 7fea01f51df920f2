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

// Server makes an http.Server for the endpoint with limits that a server on the
// open internet needs: 5 s for the header of a request, 64 KiB of it, 2 minutes for an
// idle connection. The limits do not touch a WebSocket once it is open.
func (e *Endpoint) Server() *http.Server {
	return &http.Server{
		Handler:           e,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10, // more than transport.Checks take, which say what they refuse
		ErrorLog:          slog.NewLogLogger(e.log.HandlerOf("net/http"), slog.LevelDebug),
	}
}

// Serve runs a Server on ln until ctx ends, then shuts the endpoint down in an orderly way,
// within the DrainTime and about 5 s; functions of OnShutdown may take longer. It returns nil after an orderly end.
// It closes ln in any case. It may run on several listeners at once: the end of the first, as a
// Shutdown, is that of all. After that it returns ErrServerClosed.
func (e *Endpoint) Serve(ctx context.Context, ln net.Listener) error {
	if nils.Is(ln) {
		return errors.New("bennu: Serve needs a listener, such as net.Listen returns")
	}
	if e.sockets.isClosed() {
		_ = ln.Close()
		return ErrServerClosed
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
			err = nil // the listener is one of another Serve, too
		}
	case <-ctx.Done():
	case <-e.ending:
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(0, e.options.DrainTime)+5*time.Second)
	defer cancel()
	// The server first stops to listen; it does not know of WebSockets. Requests
	// that are being answered go on while the endpoint drains.
	stopped := make(chan error, 1)
	serving.Go(func() { stopped <- server.Shutdown(grace) })
	shutdown := e.Shutdown(grace)
	if stop := <-stopped; stop != nil && !errors.Is(stop, net.ErrClosed) {
		err = errors.Join(err, stop, server.Close())
	}
	serving.Wait()
	return errors.Join(err, shutdown)
}

// ErrServerClosed is what Serve returns after a Shutdown. It is http.ErrServerClosed too.
var ErrServerClosed = fmt.Errorf("bennu: the endpoint is shut down; make a new one to serve again: %w", http.ErrServerClosed)

// beginServing says what an operator should know, at the first request, or before it where
// Serve is used. The address is that of the listener, where it is known. Only the first call
// does anything, and no other waits for it: the program's log may be slow.
func (e *Endpoint) beginServing(r *http.Request, address net.Addr) {
	if e.serving.Load() || e.serving.Swap(true) {
		return
	}
	e.sayLimits()
	e.warnOfHost(address)
	if r == nil {
		return
	}
	// A slow header would hold a connection of such a server forever.
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if server != nil && server.ReadHeaderTimeout == 0 && server.ReadTimeout == 0 {
		e.log.Log(slog.LevelWarn, "the http.Server has no ReadHeaderTimeout, so anyone can hold its connections open; use Endpoint.Serve or Endpoint.Server, or set it")
	}
}

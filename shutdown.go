package bennu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/transport"
)

// OnShutdown has f called at the end of Shutdown, when all connections are closed and no
// callback runs, or its context has ended: the place to close what the channels used, a
// presence and then the PubSub. Functions are called once, the last one first.
func (e *Endpoint) OnShutdown(f func(ctx context.Context) error) {
	if f == nil {
		panic(fmt.Sprintf("bennu: %s: OnShutdown needs a function", caller()))
	}
	e.closersMu.Lock()
	defer e.closersMu.Unlock()
	e.closers = append(e.closers, f)
}

// close calls the functions of OnShutdown.
func (e *Endpoint) close(ctx context.Context) error {
	e.closersMu.Lock()
	closers := e.closers
	e.closers = nil
	e.closersMu.Unlock()
	var all error
	for _, f := range slices.Backward(closers) {
		all = errors.Join(all, withoutNil(f(ctx)))
	}
	return all
}

// Shutdown ends the endpoint. It takes no new connections, closes those it has
// with code 1012, upon which stock clients connect again elsewhere, and waits
// until nothing of it runs any more.
//
// The closing is spread over EndpointOptions.DrainTime, or what ctx leaves of
// it. Each connection takes no more messages, its callbacks at work finish and
// their replies are written before it closes; goroutines of Channel.Go are told by
// their context.
//
// When ctx ends first, everything is cut, and the error names the topics
// whose callbacks are still running. Shutdown may be called again to wait on.
func (e *Endpoint) Shutdown(ctx context.Context) error {
	return errors.Join(e.end(ctx), e.close(ctx))
}

func (e *Endpoint) end(ctx context.Context) error {
	sockets := e.sockets.close()
	drained := e.drain(ctx, sockets)
	if drained == nil {
		// Not for the polls of sessions that have ended: these wait for their window
		// unless the transport closes.
		drained = errors.Join(e.websocket.Wait(ctx), e.sockets.wait(ctx))
	}
	e.cancel()
	e.websocket.Close(transport.CloseRestart)
	e.longpoll.Close(transport.CloseRestart)
	if drained != nil {
		e.websocket.Abort()
		// Connections that are cut end in a moment. Before that their channels have
		// not ended, and could not be named.
		moment, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = e.awaitTransports(moment)
		done()
	}
	// A callback that ignores its context cannot be stopped, only named.
	err := errors.Join(drained, e.awaitTransports(ctx), e.awaitTasks(ctx))
	if err == nil {
		return nil
	}
	if names := e.lingering.topics(10); len(names) > 0 {
		return fmt.Errorf("bennu: shutdown: callbacks still run on topics %s: %w", strings.Join(names, ", "), ctx.Err())
	}
	return fmt.Errorf("bennu: shutdown: %w", ctx.Err())
}

// awaitTransports waits until no connection and no request is left.
func (e *Endpoint) awaitTransports(ctx context.Context) error {
	return errors.Join(e.websocket.Wait(ctx), e.longpoll.Wait(ctx))
}

// awaitTasks waits until no callback and no goroutine of a channel is left. Either may
// have started the other, until all channels have ended.
func (e *Endpoint) awaitTasks(ctx context.Context) error {
	for {
		if err := errors.Join(e.tasks.Wait(ctx), e.lasting.Wait(ctx)); err != nil || e.tasks.Len() == 0 {
			return err
		}
	}
}

// drainRate is how many connections are closed in a second at least.
const drainRate = 500

// drain closes connections in small batches at random moments of an even grid.
func (e *Endpoint) drain(ctx context.Context, sockets []*Socket) error {
	if len(sockets) == 0 {
		return nil
	}
	rand.Shuffle(len(sockets), func(i, k int) { sockets[i], sockets[k] = sockets[k], sockets[i] })
	spread := max(0, min(e.options.DrainTime, time.Duration(len(sockets))*time.Second/drainRate))
	if deadline, ok := ctx.Deadline(); ok {
		// Half of what is left goes to closing, the other half to what the
		// last of them still have to do.
		spread = max(0, min(spread, time.Until(deadline)/2))
	}
	const tick = 50 * time.Millisecond
	batches := max(1, int(spread/tick))
	e.logger.Info("draining connections", slog.Int("connections", len(sockets)), slog.Duration("over", spread))
	for i := range batches {
		for _, s := range sockets[i*len(sockets)/batches : (i+1)*len(sockets)/batches] {
			s.drain()
		}
		if i == batches-1 {
			break
		}
		pause := time.NewTimer(tick/2 + rand.N(tick))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
	return nil
}

// Server makes an http.Server for the endpoint with limits that a server on the
// open internet needs: 5 s for the header of a request, 16 KiB of it, 2 minutes for an
// idle connection. The limits do not touch a WebSocket once it is open.
func (e *Endpoint) Server() *http.Server {
	return &http.Server{
		Handler:           e,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(e.logger.Handler(), slog.LevelDebug),
	}
}

// Serve runs a Server on ln until ctx ends, then shuts down in an orderly way,
// within the DrainTime and a few seconds. It returns nil after an orderly end.
// It closes ln in any case.
func (e *Endpoint) Serve(ctx context.Context, ln net.Listener) error {
	if nils.Is(ln) {
		return errors.New("bennu: Serve needs a listener, such as net.Listen returns")
	}
	e.serveOnce.Do(e.logLimits)
	server := e.Server()
	failed := make(chan error, 1)
	e.lasting.Go(func() { failed <- server.Serve(ln) })
	var err error
	select {
	case err = <-failed: // never nil, and not yet ErrServerClosed
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(0, e.options.DrainTime)+5*time.Second)
	defer cancel()
	// The server first stops to listen; it does not know of WebSockets. Requests
	// that are being answered go on while the endpoint drains.
	stopped := make(chan error, 1)
	e.lasting.Go(func() { stopped <- server.Shutdown(grace) })
	shutdown := e.Shutdown(grace)
	if stop := <-stopped; stop != nil {
		err = errors.Join(err, stop, server.Close())
	}
	return errors.Join(err, shutdown)
}

// beginServing says what an operator should know, at the first request.
func (e *Endpoint) beginServing(r *http.Request) {
	e.logLimits()
	// A slow header would hold a connection of such a server forever.
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if server != nil && server.ReadHeaderTimeout == 0 && server.ReadTimeout == 0 {
		e.logger.Warn("the http.Server has no ReadHeaderTimeout, so anyone can hold its connections open; use Endpoint.Serve or Endpoint.Server, or set it")
	}
}

package bennu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/bennu-go/bennu/transport"
)

// OnShutdown has f called at the end of Shutdown, when all connections are closed and no
// callback runs, or its context has ended: the place to close what the channels used, a
// presence and then the PubSub. Functions are called once, the last one first. After that
// OnShutdown itself calls f, with a context that does not end, and logs its error.
func (e *Endpoint) OnShutdown(f func(ctx context.Context) error) {
	if f == nil {
		panic(fmt.Sprintf("bennu: %s: OnShutdown needs a function", caller()))
	}
	e.closersMu.Lock()
	late := e.closed
	if !late {
		e.closers = append(e.closers, f)
	}
	e.closersMu.Unlock()
	if !late {
		return
	}
	ctx := context.WithoutCancel(e.ctx)
	if err := callCloser(ctx, f); err != nil {
		e.log.Log(slog.LevelError, "a function of OnShutdown failed after Shutdown", errorAttrs(err)...)
	}
}

// close calls the functions of OnShutdown.
func (e *Endpoint) close(ctx context.Context) error {
	select {
	case e.closing <- struct{}{}: // another Shutdown may be at it
		defer func() { <-e.closing }()
	case <-ctx.Done():
		return fmt.Errorf("bennu: shutdown: the functions of OnShutdown still run: %w", ctx.Err())
	}
	var all error
	for {
		e.closersMu.Lock()
		closers := e.closers
		e.closers, e.closed = nil, len(closers) == 0
		e.closersMu.Unlock()
		if len(closers) == 0 {
			return all
		}
		for _, f := range slices.Backward(closers) {
			all = errors.Join(all, callCloser(ctx, f))
		}
	}
}

// callCloser calls a function of OnShutdown. Its panic is its error, so that the others are
// called all the same.
func callCloser(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	return withoutNil(f(ctx))
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
// whose callbacks are still running. Shutdown may be called again to wait on. Every Serve
// returns with it, and the endpoint cannot serve again.
func (e *Endpoint) Shutdown(ctx context.Context) error {
	e.shutdownOnce.Do(func() { close(e.ending) })
	return errors.Join(e.end(ctx), e.close(ctx))
}

func (e *Endpoint) end(ctx context.Context) (err error) {
	sockets, start, cut := e.sockets.close(), time.Now(), 0
	defer func() {
		if len(sockets) > 0 || err != nil {
			e.log.Log(slog.LevelInfo, "drained", slog.Int("closed", len(sockets)-cut), slog.Int("cut", cut),
				slog.Int("still_running", e.lingering.len()), slog.Duration("took", time.Since(start)))
		}
	}()
	drained := e.drain(ctx, sockets)
	if drained == nil {
		drained = errors.Join(e.transports.drained(ctx), e.sockets.wait(ctx))
	}
	cut = min(e.sockets.len(), len(sockets))
	e.cancel()
	e.disconnects.teller.stop()
	e.transports.close(transport.CloseRestart)
	if drained != nil {
		e.transports.abort()
		// Connections that are cut end in a moment. Before that their channels have
		// not ended, and could not be named. It is a second in steps, so that the time in
		// which the whole process stood still does not count.
		for over, step := false, 0; !over && step < 10; step++ {
			moment, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second/10)
			over = e.transports.wait(moment) == nil
			done()
		}
	}
	// A callback that ignores its context cannot be stopped, only named.
	err = errors.Join(drained, e.transports.wait(ctx), e.awaitTasks(ctx))
	e.disconnects.stop()
	if err == nil {
		return nil
	}
	if names := e.lingering.topics(10); len(names) > 0 {
		return fmt.Errorf("bennu: shutdown: callbacks still run on topics %s: %w", strings.Join(names, ", "), ctx.Err())
	}
	return fmt.Errorf("bennu: shutdown: %w", ctx.Err())
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
	e.log.Log(slog.LevelInfo, "draining connections", slog.Int("connections", len(sockets)), slog.Duration("over", spread))
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

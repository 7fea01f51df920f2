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

	"github.com/bennu-go/bennu/internal/steps"
	"github.com/bennu-go/bennu/transport"
)

// OnShutdown registers f to run at the end of Shutdown, when all connections are closed and no
// callback runs, or when the context of Shutdown has ended. Close there what the channels used:
// first a presence, then the PubSub. The functions run once each, the last one registered first.
// ctx is that of Shutdown.
//
// If they have run already, OnShutdown calls f itself, with a context that is never cancelled, and
// logs its error.
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

// close calls the functions of OnShutdown, and those that are added meanwhile.
func (e *Endpoint) close(ctx context.Context) error {
	select {
	case e.closing <- struct{}{}: // waits if another Shutdown calls them
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

// callCloser calls a function of OnShutdown. A panic becomes its error, so that the other functions
// are still called.
func callCloser(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	return withoutNil(f(ctx))
}

// Shutdown ends the endpoint. It refuses new connections, closes the open ones with code 1012, after
// which stock clients connect again elsewhere, and waits until nothing of the endpoint runs any
// more.
//
// The closing is spread over EndpointOptions.DrainTime, but over no more than half of the time that
// ctx leaves. Before a connection closes, it takes no more messages, the callbacks that run or wait
// return, and their replies are written. Goroutines of Channel.Go see the end by their context.
//
// When ctx ends first, all connections are cut, and the error names the topics whose callbacks
// still run. Shutdown may be called again, to wait on. Each Serve returns with it, and the endpoint
// cannot serve again.
func (e *Endpoint) Shutdown(ctx context.Context) error {
	e.shutdownOnce.Do(func() { close(e.ending) })
	return errors.Join(e.end(ctx), e.close(ctx))
}

// end drains and closes all connections, and waits until nothing of the endpoint runs any more,
// except functions of OnShutdown. It logs how many connections were closed in order and how many
// were cut.
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
		// Connections that are cut end almost at once. Until then their channels have not ended and
		// could not be named in the error.
		steps.Until(abortSteps, abortStep, func(step time.Duration) bool {
			moment, cancel := context.WithTimeout(context.WithoutCancel(ctx), step)
			defer cancel()
			return e.transports.wait(moment) == nil
		})
	}
	// A callback that ignores its context cannot be stopped, only named.
	err = errors.Join(drained, e.transports.wait(ctx), e.awaitTasks(ctx))
	e.disconnects.stop()
	if err == nil {
		return nil
	}
	if names := e.lingering.topics(maxNamedTopics); len(names) > 0 {
		return fmt.Errorf("bennu: shutdown: callbacks still run on topics %s: %w", strings.Join(names, ", "), ctx.Err())
	}
	return fmt.Errorf("bennu: shutdown: %w", ctx.Err())
}

// awaitTasks waits until no callback and no goroutine of Channel.Go runs. Each may start the other
// until all channels have ended, so both are looked at again.
func (e *Endpoint) awaitTasks(ctx context.Context) error {
	for {
		if err := errors.Join(e.tasks.Wait(ctx), e.lasting.Wait(ctx)); err != nil || e.tasks.Len() == 0 {
			return err
		}
	}
}

// Pace of a drain.
const (
	drainRate = 500                   // connections closed in a second, at least
	drainTick = 50 * time.Millisecond // between two batches, on average
)

// The wait for connections that were cut: abortSteps times abortStep.
const (
	abortSteps = 10
	abortStep  = 100 * time.Millisecond
)

// maxNamedTopics bounds the topics that the error of Shutdown names.
const maxNamedTopics = 10

// drain closes the connections in random order, in small batches with a random pause between them,
// of drainTick on average. It returns the error of ctx if that ends first.
func (e *Endpoint) drain(ctx context.Context, sockets []*Socket) error {
	if len(sockets) == 0 {
		return nil
	}
	rand.Shuffle(len(sockets), func(i, k int) { sockets[i], sockets[k] = sockets[k], sockets[i] })
	spread := max(0, min(e.options.DrainTime, time.Duration(len(sockets))*time.Second/drainRate))
	if deadline, ok := ctx.Deadline(); ok {
		// Half of the time is for closing, the other half for the callbacks and replies of the last
		// connections.
		spread = max(0, min(spread, time.Until(deadline)/2))
	}
	batches := max(1, int(spread/drainTick))
	e.log.Log(slog.LevelInfo, "draining connections", slog.Int("connections", len(sockets)), slog.Duration("over", spread))
	for i := range batches {
		for _, s := range sockets[i*len(sockets)/batches : (i+1)*len(sockets)/batches] {
			s.drain()
		}
		if i == batches-1 {
			break
		}
		pause := time.NewTimer(drainTick/2 + rand.N(drainTick))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
	return nil
}

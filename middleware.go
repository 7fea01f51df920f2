package bennu

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/nils"
)

// Middleware wraps a ChannelHandler, to do something around its joins and events. Around makes
// one. One of your own returns an Instance that embeds the wrapped one.
type Middleware func(ChannelHandler) ChannelHandler

// CallKind says which method of a ChannelHandler or an Instance is called, by its name in
// Phoenix.
type CallKind string

// The kinds of Call.
const (
	CallJoin       CallKind = "join"
	CallHandleIn   CallKind = "handle_in"
	CallHandleOut  CallKind = "handle_out"
	CallHandleInfo CallKind = "handle_info"
	CallTerminate  CallKind = "terminate"
)

// Call is one call of a channel's callback, given to the function of an Around. It belongs to
// that function until it returns.
type Call struct {
	Kind    CallKind
	Channel *Channel
	// Event is that of a handle_in or a handle_out. In a handle_in it is what the client has
	// sent, which need not be an event that has a handler.
	Event string
	// Payload is that of a join, handle_in or handle_out. It must not be changed, but the
	// function may replace it for the callback.
	Payload Payload
	// Message is that of a handle_info. The function may replace it for the callback.
	Message any
	// Reason is why the channel ended, in a terminate.
	Reason error

	// Reply and Err are what the callback returned, once next has returned or panicked. Err
	// is a *PanicError when it panicked or called runtime.Goexit. The function may change
	// Reply: it is sent if the function returns nil, of a join its Response alone.
	Reply Reply
	Err   error
}

// Outcome is how the callback ended, in one word: "panic", "crash", "stop", "disconnect",
// "error" for an *Error, "invalid" for a payload that does not fit, "unknown" for an event
// without a handler, "internal" for any other error, the status of the reply if there was
// one, and "ok" otherwise. It is "ok" until next has returned.
func (c *Call) Outcome() string {
	inHandler := c.Kind != CallJoin
	_, panicked := c.Err.(*PanicError)
	_, disconnects := asDisconnect(c.Err)
	_, invalid := errors.AsType[*payloadError](c.Err)
	switch {
	case c.Err == nil && c.Reply.Status != "":
		return c.Reply.Status
	case c.Err == nil:
		return "ok"
	case panicked:
		return "panic"
	case inHandler && errors.Is(c.Err, Stop):
		return "stop"
	case inHandler && errors.Is(c.Err, Crash):
		return "crash"
	case inHandler && errors.Is(c.Err, ErrUnknownEvent):
		return "unknown"
	case disconnects:
		return "disconnect"
	case pointerIn[Error](c.Err) != nil:
		return "error"
	case invalid:
		return "invalid"
	}
	return "internal"
}

// Around makes a Middleware of a function that is called in place of each join, event,
// intercepted broadcast, message and end of a channel. The function calls next, which calls the
// callback, and returns what the callback returned, or something else. What it returns without
// calling next, an *Error for instance, is the outcome of the call, and the callback is not
// called; a join must be refused then. A Terminate is called in any case, after the function if
// not by next; an error that the function returns for one is logged.
//
// The context given to next is that of the callback. It should be derived from the function's
// own, through which ReplyRef finds the message; that of a terminate is never cancelled. next
// is for the goroutine of the function, and for one call: more return an error.
//
// A panic of the callback passes through next as a *PanicError, and so does runtime.Goexit: a
// deferred function sees it in Call.Err. A Join that succeeds, and is refused by the
// function after that, gets its Terminate.
func Around(f func(ctx context.Context, call *Call, next func(context.Context) error) error) Middleware {
	if f == nil {
		panic(fmt.Sprintf("bennu: %s: Around needs a function", caller()))
	}
	return func(next ChannelHandler) ChannelHandler { return &aroundHandler{next, f} }
}

type aroundFunc func(ctx context.Context, call *Call, next func(context.Context) error) error

var (
	errNextAgain  = errors.New("bennu: next is called again, or after the function of Around has returned; call it once, and wait for it")
	errNoInstance = errors.New("bennu: the function of Around returned nil for a join without a next that succeeded; return next's error, or one of your own")
)

// run calls f around a callback. Whatever f does, the callback is called once at most, and not
// beside others of the channel.
func (f aroundFunc) run(ctx context.Context, call *Call, callback func(context.Context) error) error {
	var called atomic.Bool
	defer called.Store(true)
	return withoutNil(f(ctx, call, func(derived context.Context) error {
		if !called.CompareAndSwap(false, true) {
			return errNextAgain
		}
		if derived == nil {
			derived = ctx
		}
		returned := false
		defer func() {
			if returned {
				return
			}
			v := recover()
			p := newPanicError(v)
			call.Err = p
			if v != nil { // a Goexit goes on by itself
				panic(p)
			}
		}()
		call.Err = withoutNil(callback(derived))
		returned = true
		return call.Err
	}))
}

// aroundHandler is the ChannelHandler of an Around.
type aroundHandler struct {
	next ChannelHandler
	f    aroundFunc
}

// Join implements ChannelHandler.
func (h *aroundHandler) Join(ctx context.Context, ch *Channel, p Payload) (Instance, Reply, error) {
	call := &Call{Kind: CallJoin, Channel: ch, Payload: p}
	var mu sync.Mutex // next may run in another goroutine, against what Around says
	var joined Instance
	over, returned := false, false
	defer func() {
		if returned {
			return
		}
		v := recover()
		reason := newPanicError(v)
		mu.Lock()
		over = true
		instance := joined
		mu.Unlock()
		if instance != nil {
			instance.Terminate(reason)
		}
		if v != nil {
			panic(reason)
		}
	}()
	err := h.f.run(ctx, call, func(ctx context.Context) (err error) {
		instance, reply, err := h.next.Join(ctx, ch, call.Payload)
		if nils.Is(instance) {
			instance = nil
		}
		mu.Lock()
		late := over
		if !late {
			joined, call.Reply = instance, reply
		}
		mu.Unlock()
		if late && instance != nil {
			instance.Terminate(errNextAgain)
		}
		return err
	})
	mu.Lock()
	over = true
	mu.Unlock()
	returned = true
	if err == nil && (joined == nil || call.Err != nil) {
		err = errNoInstance
	}
	if err == nil {
		return &aroundInstance{joined, ch, h.f}, call.Reply, nil
	}
	if joined != nil {
		joined.Terminate(err)
	}
	return nil, Reply{}, err
}

// aroundInstance is the Instance of an Around.
type aroundInstance struct {
	Instance
	ch *Channel
	f  aroundFunc
}

// HandleIn implements Instance.
func (i *aroundInstance) HandleIn(ctx context.Context, event string, p Payload) (Reply, error) {
	call := &Call{Kind: CallHandleIn, Channel: i.ch, Event: event, Payload: p}
	err := i.f.run(ctx, call, func(ctx context.Context) (err error) {
		call.Reply, err = i.Instance.HandleIn(ctx, event, call.Payload)
		return err
	})
	return call.Reply, err
}

// HandleOut implements Instance.
func (i *aroundInstance) HandleOut(ctx context.Context, event string, p Payload) error {
	call := &Call{Kind: CallHandleOut, Channel: i.ch, Event: event, Payload: p}
	return i.f.run(ctx, call, func(ctx context.Context) error {
		return i.Instance.HandleOut(ctx, event, call.Payload)
	})
}

// HandleInfo implements Instance.
func (i *aroundInstance) HandleInfo(ctx context.Context, msg any) error {
	call := &Call{Kind: CallHandleInfo, Channel: i.ch, Message: msg}
	return i.f.run(ctx, call, func(ctx context.Context) error {
		return i.Instance.HandleInfo(ctx, call.Message)
	})
}

// Terminate implements Instance.
func (i *aroundInstance) Terminate(reason error) {
	call := &Call{Kind: CallTerminate, Channel: i.ch, Reason: reason}
	terminated := false
	terminate := func() {
		if !terminated {
			terminated = true
			i.Instance.Terminate(reason)
		}
	}
	defer terminate()
	// The channel's context has ended, and what is left to do may need one.
	h := i.ch.handlerContext(&item{kind: itemEnd})
	ctx := context.WithoutCancel(h)
	i.ch.obey(i.ch.at(h), i.f.run(ctx, call, func(context.Context) error {
		terminate()
		return nil
	}))
}

package bennu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/protocol"
)

// Middleware wraps a ChannelHandler, to do something around its joins and events. Around makes one.
// A Middleware of your own returns an Instance that embeds the wrapped one.
type Middleware func(ChannelHandler) ChannelHandler

// CallKind is the method of a ChannelHandler or an Instance that is called, by its name in Phoenix.
type CallKind string

// The kinds of Call.
const (
	CallJoin       CallKind = "join"
	CallHandleIn   CallKind = "handle_in"
	CallHandleOut  CallKind = "handle_out"
	CallHandleInfo CallKind = "handle_info"
	CallTerminate  CallKind = "terminate"
)

// Call is one call of a channel's callback, given to the function of an Around. That function owns
// it until it returns.
type Call struct {
	Kind    CallKind
	Channel *Channel
	// Event is the event of a handle_in or a handle_out. In a handle_in the client chose it, and it
	// need not have a handler.
	Event string
	// Payload is the payload of a join, handle_in or handle_out. It must not be changed, but the
	// function may replace it for the callback.
	Payload Payload
	// Message is the message of a handle_info. The function may replace it for the callback.
	Message any
	// Reason is why the channel ended, in a terminate.
	Reason error

	// Reply and Err are the results of the callback, set when next has returned or panicked. Err is
	// a *PanicError if the callback panicked or called runtime.Goexit. The function may change
	// Reply, which is sent if the function returns nil; for a join only its Response is.
	Reply Reply
	Err   error
}

// Outcome returns how the callback ended, in one word. Until next has returned it is "ok".
//
//   - The status of the reply, if the callback succeeded and there is a reply.
//   - "ok": the callback succeeded without one.
//   - "panic": it panicked, or called runtime.Goexit.
//   - "stop", "crash", "disconnect": it returned Stop, Crash or a Disconnect.
//   - "unknown": the event has no handler.
//   - "error": it returned an *Error.
//   - "invalid": the payload does not fit.
//   - "internal": it returned any other error, or Stop or Crash in a join.
func (c *Call) Outcome() string {
	if c.Err == nil {
		return cmp.Or(c.Reply.Status, protocol.StatusOK)
	}
	if _, panicked := c.Err.(*PanicError); panicked {
		return "panic"
	}
	of := verdictOf
	if c.Kind == CallJoin {
		of = verdictOfJoin
	}
	switch verdict, _ := of(c.Err); verdict {
	case verdictStop:
		return "stop"
	case verdictCrash:
		return "crash"
	case verdictUnknown:
		return "unknown"
	case verdictDisconnect:
		return "disconnect"
	}
	if pointerIn[Error](c.Err) != nil {
		return "error"
	}
	if _, invalid := errors.AsType[*payloadError](c.Err); invalid {
		return "invalid"
	}
	return "internal"
}

// Around makes a Middleware of a function that is called in place of each callback: joins, events,
// intercepted broadcasts, messages and ends of channels. The function calls next, which calls the
// callback, and returns its error or another. If it returns an error without calling next, such as
// an *Error, the callback is not called, and the error is the outcome. For a join it must return an
// error then. Terminate is called in any case: if next did not call it, after the function. Of the
// errors that the function returns for a terminate, Stop does nothing, a Disconnect closes the
// connection, and all others are logged.
//
// The context given to next becomes that of the callback. It should derive from the context of the
// function, in which ReplyRef finds the message. The context of a terminate is never cancelled. The
// function must call next in its own goroutine and at most once; further calls return an error.
//
// A panic of the callback passes through next as a *PanicError, and runtime.Goexit passes through
// next, too. After either, Call.Err is a *PanicError, which a deferred function can read. If a Join
// succeeds and the function refuses it after that, the instance gets its Terminate.
func Around(f func(ctx context.Context, call *Call, next func(context.Context) error) error) Middleware {
	if f == nil {
		panic(fmt.Sprintf("bennu: %s: Around needs a function", caller()))
	}
	return func(next ChannelHandler) ChannelHandler { return &aroundHandler{next, f} }
}

// aroundFunc is the argument of Around.
type aroundFunc func(ctx context.Context, call *Call, next func(context.Context) error) error

var (
	errNextAgain  = errors.New("bennu: next was called twice, or after the function of Around had returned; call it once, and wait for it")
	errNoInstance = errors.New("bennu: the function of Around returned nil for a join although next did not succeed; return next's error, or one of your own")
)

// run calls f around a callback. Whatever f does, the callback is called at most once, and only
// while f runs.
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

// aroundHandler is the ChannelHandler that an Around makes of another, next.
type aroundHandler struct {
	next ChannelHandler
	f    aroundFunc
}

// Join implements ChannelHandler.
func (h *aroundHandler) Join(ctx context.Context, ch *Channel, p Payload) (Instance, Reply, error) {
	call := &Call{Kind: CallJoin, Channel: ch, Payload: p}
	var mu sync.Mutex // guards against a function that calls next in another goroutine
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

// aroundInstance is the Instance that an Around makes of another.
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
	// The channel's context is cancelled, and the function may need one that works.
	h := i.ch.handlerContext(&item{kind: itemEnd})
	ctx := context.WithoutCancel(h)
	i.ch.obey(i.ch.at(h), i.f.run(ctx, call, func(context.Context) error {
		terminate()
		return nil
	}))
}

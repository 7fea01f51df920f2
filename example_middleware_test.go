package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/bennu-go/bennu"
)

// logged writes a line for each callback: what it was, how it ended and how long it took.
func logged(log *slog.Logger) bennu.Middleware {
	return bennu.Around(func(ctx context.Context, call *bennu.Call, next func(context.Context) error) error {
		start := time.Now()
		defer func() { // also when the callback panics
			log.Info("callback", "kind", call.Kind, "topic", call.Channel.Topic(), "event", call.Event,
				"outcome", call.Outcome(), "err", call.Err, "took", time.Since(start))
		}()
		return next(ctx)
	})
}

// The first middleware is outermost: it sees what the others answer, too.
func ExampleAround() {
	counters := bennu.Define(joinCounter)
	bennu.On(counters, "add", (*counter).add)
	bennu.On(counters, "full", func(*counter, context.Context, bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, bennu.Errorf("full")
	})
	bennu.On(counters, "crash", func(*counter, context.Context, bennu.Empty) (bennu.Empty, error) { panic("a mistake") })

	var users bennu.SocketHandler
	users.Channel("counter:*", counters, logged(slog.New(slog.NewTextHandler(os.Stdout, withoutTimes))))

	talk(&users,
		`["1","1","counter:a","phx_join",{}]`, "<-",
		`["1","2","counter:a","add",{"by":2}]`, "<-",
		`["1","3","counter:a","add",{"by":"two"}]`, "<-",
		`["1","4","counter:a","full",{}]`, "<-",
		`["1","5","counter:a","crash",{}]`, "<-",
	)
	// Unordered output:
	// level=INFO msg=callback kind=join topic=counter:a event="" outcome=ok err=<nil>
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
	// level=INFO msg=callback kind=handle_in topic=counter:a event=add outcome=ok err=<nil>
	// ["1","2","counter:a","phx_reply",{"response":{"n":2},"status":"ok"}]
	// level=INFO msg=callback kind=handle_in topic=counter:a event=add outcome=invalid err="bennu: invalid payload: json: cannot unmarshal string into Go struct field add.by of type int"
	// ["1","3","counter:a","phx_reply",{"response":{"reason":"invalid payload","field":"by"},"status":"error"}]
	// level=INFO msg=callback kind=handle_in topic=counter:a event=full outcome=error err=full
	// ["1","4","counter:a","phx_reply",{"response":{"reason":"full"},"status":"error"}]
	// level=INFO msg=callback kind=handle_in topic=counter:a event=crash outcome=panic err="bennu: callback panicked: a mistake"
	// ["1","1","counter:a","phx_error",{"reason":"channel_crash"}]
	// level=INFO msg=callback kind=terminate topic=counter:a event="" outcome=ok err=<nil>
}

// withoutTimes leaves out what differs from run to run.
var withoutTimes = &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "took" {
		return slog.Attr{}
	}
	return a
}}

// A rate is how often an event may be pushed: burst at once, then once in each interval.
type rate struct {
	burst    int
	interval time.Duration
}

// An allowance is what one connection may still push. Its channels run at the same time.
type allowance struct {
	mu     sync.Mutex
	usedUp map[string]time.Time // when all of an event's burst will be there again
}

func (a *allowance) take(event string, r rate) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	whole := a.usedUp[event]
	if whole.Before(now) {
		whole = now
	}
	if whole.Add(r.interval).Sub(now) > time.Duration(r.burst)*r.interval {
		return false
	}
	a.usedUp[event] = whole.Add(r.interval)
	return true
}

// limited answers events that are pushed too often, and does not call their handlers. The
// names of events come from clients, so only those with a rate are remembered.
func limited(rates map[string]rate) bennu.Middleware {
	return bennu.Around(func(ctx context.Context, call *bennu.Call, next func(context.Context) error) error {
		r, ok := rates[call.Event]
		if call.Kind != bennu.CallHandleIn || !ok {
			return next(ctx)
		}
		a, ok := call.Channel.Socket().Assigned("allowance").(*allowance)
		if !ok {
			return errors.New("Connect has assigned no allowance")
		}
		if !a.take(call.Event, r) {
			return &bennu.Error{Reason: "too often"}
		}
		return next(ctx)
	})
}

// The allowance belongs to the connection, so that neither a second topic nor a new join
// gives a client more.
func ExampleAround_rateLimit() {
	counters := bennu.Define(joinCounter)
	bennu.On(counters, "add", (*counter).add)
	users := bennu.SocketHandler{
		Connect: func(_ context.Context, s *bennu.Socket, _ *bennu.ConnectInfo) error {
			s.Assign("allowance", &allowance{usedUp: map[string]time.Time{}})
			return nil
		},
	}
	users.Channel("counter:*", counters, limited(map[string]rate{"add": {burst: 2, interval: time.Minute}}))

	talk(&users,
		`["1","1","counter:a","phx_join",{}]`, "<-",
		`["1","2","counter:a","add",{"by":1}]`, "<-",
		`["1","3","counter:a","add",{"by":1}]`, "<-",
		`["1","4","counter:a","add",{"by":1}]`, "<-",
		`["5","5","counter:b","phx_join",{}]`, "<-",
		`["5","6","counter:b","add",{"by":1}]`, "<-",
	)
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
	// ["1","2","counter:a","phx_reply",{"response":{"n":1},"status":"ok"}]
	// ["1","3","counter:a","phx_reply",{"response":{"n":2},"status":"ok"}]
	// ["1","4","counter:a","phx_reply",{"response":{"reason":"too often"},"status":"error"}]
	// ["5","5","counter:b","phx_reply",{"response":{"n":0},"status":"ok"}]
	// ["5","6","counter:b","phx_reply",{"response":{"reason":"too often"},"status":"error"}]
}

// guarded lets only some users push some events.
func guarded(allowed func(s *bennu.Socket, event string) bool) bennu.Middleware {
	return bennu.Around(func(ctx context.Context, call *bennu.Call, next func(context.Context) error) error {
		if call.Kind == bennu.CallHandleIn && !allowed(call.Channel.Socket(), call.Event) {
			return &bennu.Error{Reason: "unauthorized"}
		}
		return next(ctx)
	})
}

type traceKey struct{}

// traced gives each callback a context with a number, as a tracer gives it a span.
func traced() bennu.Middleware {
	var mu sync.Mutex
	n := 0
	return bennu.Around(func(ctx context.Context, call *bennu.Call, next func(context.Context) error) error {
		mu.Lock()
		n++
		ctx = context.WithValue(ctx, traceKey{}, n)
		mu.Unlock()
		return next(ctx)
	})
}

// Handlers see the context that was derived for them; ReplyRef works with it as with their own.
func ExampleAround_context() {
	counters := bennu.Define(joinCounter)
	bennu.On(counters, "trace", func(_ *counter, ctx context.Context, _ bennu.Empty) (bennu.NoReply, error) {
		return bennu.NoReply{}, bennu.ReplyRef(ctx).Reply(map[string]any{"trace": ctx.Value(traceKey{})})
	})
	bennu.On(counters, "reset", func(*counter, context.Context, bennu.Empty) (bennu.Empty, error) {
		fmt.Println("never called")
		return bennu.Empty{}, nil
	})
	var users bennu.SocketHandler
	users.Channel("counter:*", counters, traced(), guarded(func(_ *bennu.Socket, event string) bool { return event != "reset" }))

	talk(&users,
		`["1","1","counter:a","phx_join",{}]`, "<-",
		`["1","2","counter:a","trace",{}]`, "<-",
		`["1","3","counter:a","reset",{}]`, "<-",
	)
	// Output:
	// ["1","1","counter:a","phx_reply",{"response":{"n":0},"status":"ok"}]
	// ["1","2","counter:a","phx_reply",{"response":{"trace":2},"status":"ok"}]
	// ["1","3","counter:a","phx_reply",{"response":{"reason":"unauthorized"},"status":"error"}]
}

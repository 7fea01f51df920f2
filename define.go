package bennu

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/event"
	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/internal/protocol"
)

// Definition is a ChannelHandler made of typed functions. S is the state of one joined topic,
// usually a pointer to a struct that embeds *Channel.
//
// On, Intercept and OnInfo add handlers, before Endpoint.Socket mounts the channel. A mistake in a
// registration panics with the file and line of the call, and of the earlier call if there is one.
type Definition[S any] struct {
	join       func(ctx context.Context, ch *Channel, p Payload) (S, Reply, error)
	in         map[string]registered[func(S, context.Context, Payload) (Reply, error)]
	out        map[string]registered[func(S, context.Context, Payload) error]
	info       map[reflect.Type]registered[func(S, context.Context, any) error]
	intercepts []string
	// ends reports whether a state has a method Terminate.
	ends func(S) bool
	// Joins read the maps without a lock, so no handler is added once the Definition is mounted or
	// used.
	mounted atomic.Pointer[string] // the place of the Endpoint.Socket call
	used    atomic.Bool
}

// registered is a handler and the place of its registration.
type registered[F any] struct {
	call  F
	where string
}

// Define makes a channel of its join function. In is the type of the payload that the client sends
// with the join, and Out that of the reply; for both see On. The S that join returns serves the
// topic until the channel ends.
//
// The channel subscribes to its topic after join has returned, so state that join reads may change
// before the client hears of changes. Where that matters, call Channel.Send in join and push the
// state from the handler of that message. If S has a method Terminate(reason error), it is called
// at the end; see Instance.
func Define[S, In, Out any](join func(ctx context.Context, ch *Channel, in In) (S, Out, error)) *Definition[S] {
	where := caller()
	if join == nil {
		panic(fmt.Sprintf("bennu: %s: Define needs a join function", where))
	}
	decode := decoderOf[In](where)
	reply := replierOf[Out]()
	lacks := missing[S]()
	return &Definition[S]{
		join: func(ctx context.Context, ch *Channel, p Payload) (S, Reply, error) {
			in, err := decode(p)
			if err != nil {
				var zero S
				return zero, Reply{}, err
			}
			state, out, err := join(ctx, ch, in)
			if err = withoutNil(err); err != nil {
				return state, Reply{}, err
			}
			if lacks(state) {
				return state, Reply{}, fmt.Errorf("bennu: %s: join returned a nil %T and no error; return the state that keeps the channel, or an error", where, state)
			}
			return state, reply(out), nil
		},
		in:   make(map[string]registered[func(S, context.Context, Payload) (Reply, error)]),
		out:  make(map[string]registered[func(S, context.Context, Payload) error]),
		info: make(map[reflect.Type]registered[func(S, context.Context, any) error]),
		ends: terminates[S](where),
	}
}

// missing returns a function that reports whether a state is nil although its methods are those of
// a Channel: each of them would panic.
func missing[S any]() func(S) bool {
	t := reflect.TypeFor[S]()
	if t.Kind() != reflect.Pointer {
		return func(S) bool { return false }
	}
	ofChannel := t == reflect.TypeFor[*Channel]()
	if t.Elem().Kind() == reflect.Struct {
		f, ok := t.Elem().FieldByName("Channel")
		ofChannel = ofChannel || ok && f.Anonymous
	}
	return func(s S) bool { return ofChannel && nils.Is(s) }
}

// terminator is a state that is told of the end of its channel.
type terminator interface{ Terminate(reason error) }

// quietEnder is an Instance that knows whether its Terminate does nothing. If so, the channel ends
// without a goroutine. Only the instances of Define implement it: an Instance that wraps another
// may do something in its own Terminate.
type quietEnder interface{ endsQuietly() bool }

// endsQuietly reports whether the Terminate of i is known to do nothing.
func endsQuietly(i Instance) bool {
	q, ok := i.(quietEnder)
	return ok && q.endsQuietly()
}

// terminates returns a function that reports whether a state has a Terminate. All states of type S
// have one, or none, unless S is an interface: then the type of each value decides. It panics for a
// method of this name that would never be called.
func terminates[S any](where string) func(S) bool {
	t, wanted := reflect.TypeFor[S](), reflect.TypeFor[terminator]()
	switch {
	case t.Implements(wanted):
		return func(S) bool { return true }
	case t.Kind() == reflect.Interface:
		return func(s S) bool { _, ok := any(s).(terminator); return ok }
	}
	if m, ok := t.MethodByName("Terminate"); ok {
		panic(fmt.Sprintf("bennu: %s: the method Terminate of %s is never called: it is a %s; make it Terminate(reason error)", where, t, signature(m)))
	}
	if reflect.PointerTo(t).Implements(wanted) {
		panic(fmt.Sprintf("bennu: %s: the method Terminate of *%s is never called: the state is %s without the *; return a pointer from join", where, t, t))
	}
	return func(S) bool { return false }
}

// signature returns the type of a method without its receiver, as text.
func signature(m reflect.Method) string {
	var in, out []reflect.Type
	for i := 1; i < m.Type.NumIn(); i++ {
		in = append(in, m.Type.In(i))
	}
	for i := range m.Type.NumOut() {
		out = append(out, m.Type.Out(i))
	}
	return reflect.FuncOf(in, out, m.Type.IsVariadic()).String()
}

// On registers a handler for an event from the client (Phoenix: handle_in). In is the type of the
// payload:
//
//   - any type that encoding/json decodes; if it is a Validator, it is validated
//   - Empty to ignore the payload
//   - Raw for the JSON text as it came
//   - []byte for a binary payload
//   - Payload for either
//
// Out is the type of the reply:
//
//   - any type that encodes to JSON
//   - Empty for {}
//   - []byte for a binary reply
//   - NoReply for none
//   - Reply to decide at run time
//
// When a payload does not fit In, the handler is not called, and the client gets the error reply
// {"reason":"invalid payload"}, with the path of the field where that is known. An event without a
// handler ends the channel with phx_error, as in Phoenix; stock clients join again.
func On[S, In, Out any](d *Definition[S], event string, handler func(s S, ctx context.Context, in In) (Out, error)) {
	where := caller()
	d.check(where, fmt.Sprintf("event %q", event), handler == nil)
	checkHandled(event, where)
	if earlier, ok := d.in[event]; ok {
		panic(fmt.Sprintf("bennu: %s: event %q already has a handler, registered at %s", where, event, earlier.where))
	}
	decode := decoderOf[In](where)
	reply := replierOf[Out]()
	d.in[event] = registered[func(S, context.Context, Payload) (Reply, error)]{where: where,
		call: func(s S, ctx context.Context, p Payload) (Reply, error) {
			in, err := decode(p)
			if err != nil {
				return Reply{}, err
			}
			out, err := handler(s, ctx, in)
			return reply(out), withoutNil(err)
		},
	}
}

// Intercept registers a handler for the broadcasts of one event on the channel's topic, which the
// client then does not get (Phoenix: intercept and handle_out). The handler sends what the client
// should get, with Forward or Push; on a topic that has a history it should be Forward. A broadcast of
// this event runs the handler and encodes a message for each subscriber; other broadcasts are encoded
// once for all of them.
//
// A client that resumes meets a broadcast again if the handler panics or returns Crash, and then again
// after each join. If the handler returns another error, that is logged, and the client passes over the
// broadcast.
func Intercept[S, In any](d *Definition[S], event string, handler func(s S, ctx context.Context, in In) error) {
	where := caller()
	d.check(where, fmt.Sprintf("event %q", event), handler == nil)
	checkHandled(event, where)
	if earlier, ok := d.out[event]; ok {
		panic(fmt.Sprintf("bennu: %s: event %q is already intercepted at %s", where, event, earlier.where))
	}
	decode := decoderOf[In](where)
	d.out[event] = registered[func(S, context.Context, Payload) error]{where: where,
		call: func(s S, ctx context.Context, p Payload) error {
			in, err := decode(p)
			if err != nil {
				return err
			}
			return withoutNil(handler(s, ctx, in))
		},
	}
	d.intercepts = append(d.intercepts, event)
}

// OnInfo registers a handler for messages of type T that are given to Channel.Send (Phoenix:
// handle_info). T must be a concrete type. With T = Broadcast it handles the broadcasts of topics
// that the channel subscribed to with Channel.Subscribe. A message without a handler is logged and
// dropped.
func OnInfo[S, T any](d *Definition[S], handler func(s S, ctx context.Context, msg T) error) {
	where := caller()
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Interface {
		panic(fmt.Sprintf("bennu: %s: OnInfo handlers are found by the concrete type of the message, and %s is an interface; register each concrete type", where, t))
	}
	d.check(where, fmt.Sprintf("the messages of type %s", t), handler == nil)
	if earlier, ok := d.info[t]; ok {
		panic(fmt.Sprintf("bennu: %s: messages of type %s already have a handler, registered at %s", where, t, earlier.where))
	}
	d.info[t] = registered[func(S, context.Context, any) error]{where: where,
		call: func(s S, ctx context.Context, msg any) error { return withoutNil(handler(s, ctx, msg.(T))) },
	}
}

// check panics when a handler cannot be registered. The argument what names the event or type.
func (d *Definition[S]) check(where, what string, noHandler bool) {
	switch {
	case !d.made():
		panic(fmt.Sprintf("bennu: %s: %s is registered with a Definition that is nil, or zero; make one with Define", where, what))
	case d.used.Load():
		panic(fmt.Sprintf("bennu: %s: %s: the handler is registered after the first join; register all handlers before serving", where, what))
	case d.mounted.Load() != nil:
		panic(fmt.Sprintf("bennu: %s: %s: the handler is registered after its channel was mounted at %s; register all handlers before Endpoint.Socket", where, what, *d.mounted.Load()))
	case noHandler:
		panic(fmt.Sprintf("bennu: %s: %s: the handler is nil", where, what))
	}
}

// definition is a Definition of any state. SocketHandler.Channel looks for it in the handler before
// middleware wraps it.
type definition interface {
	seal(where string)
	made() bool
}

// seal makes further registrations panic. where is the place of the mount.
func (d *Definition[S]) seal(where string) { d.mounted.CompareAndSwap(nil, &where) }

// made reports whether Define has made this Definition.
func (d *Definition[S]) made() bool { return d != nil && d.join != nil }

// checkHandled panics for an event that would never reach a handler.
func checkHandled(name, where string) {
	if name == protocol.EventJoin || name == protocol.EventLeave {
		panic(fmt.Sprintf("bennu: %s: event %q belongs to the protocol and never reaches a handler; use Define for joins and Terminate for leaves", where, name))
	}
	if fault := event.Fault(name); fault != "" {
		panic(fmt.Sprintf("bennu: %s: %s", where, fault))
	}
}

// replierOf returns the function that turns an Out into a Reply. It is called once for each
// registered handler, so that messages need no reflection.
func replierOf[Out any]() func(Out) Reply {
	switch any((*Out)(nil)).(type) {
	case *NoReply:
		return func(Out) Reply { return Reply{} }
	case *Empty:
		return func(Out) Reply { return Reply{Status: protocol.StatusOK} }
	case *Reply:
		return func(out Out) Reply {
			r := any(out).(Reply)
			if r.Status == "" && r.Response != nil {
				r.Status = protocol.StatusOK
			}
			return r
		}
	}
	return func(out Out) Reply { return Reply{Status: protocol.StatusOK, Response: out} }
}

// Join implements ChannelHandler.
func (d *Definition[S]) Join(ctx context.Context, ch *Channel, p Payload) (Instance, Reply, error) {
	if !d.used.Load() {
		d.used.Store(true)
	}
	state, reply, err := d.join(ctx, ch, p)
	if err != nil {
		return nil, Reply{}, err
	}
	return &instance[S]{d: d, state: state}, reply, nil
}

// instance is the Instance of a Definition: it passes untyped calls to the typed handlers of S.
type instance[S any] struct {
	d     *Definition[S]
	state S
}

// HandleIn implements Instance.
func (i *instance[S]) HandleIn(ctx context.Context, event string, p Payload) (Reply, error) {
	h, ok := i.d.in[event]
	if !ok {
		return Reply{}, fmt.Errorf("%w: %q", ErrUnknownEvent, event)
	}
	return h.call(i.state, ctx, p)
}

// HandleOut implements Instance.
func (i *instance[S]) HandleOut(ctx context.Context, event string, p Payload) error {
	return i.d.out[event].call(i.state, ctx, p)
}

// HandleInfo implements Instance.
func (i *instance[S]) HandleInfo(ctx context.Context, msg any) error {
	h, ok := i.d.info[reflect.TypeOf(msg)]
	if !ok {
		return fmt.Errorf("bennu: no handler for messages of type %T; register one with OnInfo", msg)
	}
	return h.call(i.state, ctx, msg)
}

// Intercepts implements Instance.
func (i *instance[S]) Intercepts() []string { return i.d.intercepts }

// Terminate implements Instance.
func (i *instance[S]) Terminate(reason error) {
	if t, ok := any(i.state).(terminator); ok {
		t.Terminate(reason)
	}
}

// endsQuietly implements quietEnder.
func (i *instance[S]) endsQuietly() bool { return !i.d.ends(i.state) }

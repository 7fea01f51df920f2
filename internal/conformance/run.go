package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// patience is how long the runner waits for what has to come, httpPatience for the
// answer to a request, which a server may hold open.
const (
	patience     = 30 * time.Second
	httpPatience = time.Minute
)

// A case that waits proves something only if runner and server were on time, and one with a
// long-poll session only if the session had not expired before the next request. A case that
// fails is played again, up to attempts times in all, if its waits ended late by more than
// lateness, or if requests took longer than postTime or pollTime or came later than that after
// each other.
const (
	lateness = 20 * time.Millisecond
	postTime = 200 * time.Millisecond
	pollTime = time.Second // more than the window of the fixture, and less than its sessions live
	attempts = 10
)

// Run drives the server at target, a host and port, with one case. It returns a [*Failure] if the
// server departs from the case. A case that fails on a machine too busy to be on time is played
// again. Run closes its connections before it returns; cases whose topics differ may run at the
// same time.
func Run(ctx context.Context, target string, c Case) error {
	_, port, err := net.SplitHostPort(target)
	if err != nil {
		return fmt.Errorf("conformance: target: %w", err)
	}
	for n := 1; ; n++ {
		late, err := play(ctx, target, port, c)
		if err == nil || !late || n == attempts || ctx.Err() != nil {
			return err
		}
	}
}

// play runs a case once. It returns late if a wait ended, or a post was answered, too late for
// the failure to prove something.
func play(ctx context.Context, target, port string, c Case) (late bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &run{began: time.Now(), ctx: ctx, target: target, sockets: map[string]*socket{}, parked: map[string]<-chan parked{},
		memory: memory{port: port, kept: map[string]any{}}}
	defer r.close(cancel)
	for i, s := range c.Steps {
		do, ok := verbs[s.Verb]
		if !ok {
			return false, fail(&c, i+1, fmt.Errorf("there is no verb %q", s.Verb))
		}
		err := do(r, s.Args)
		if stopped := ctx.Err(); stopped != nil {
			err = stopped
		}
		if err != nil {
			// What did not come in all of patience would not have come in time.
			late := r.late || r.waited > 0 && !r.silent && r.isLate()
			return late, fail(&c, i+1, err)
		}
	}
	return false, nil
}

// A run is what one case has open.
type run struct {
	memory
	ctx     context.Context
	target  string
	sockets map[string]*socket
	parked  map[string]<-chan parked
	closers []func() // for every connection, also those whose name is taken again

	began  time.Time
	waited time.Duration // the sum of the waits so far
	late   bool          // they were over later than that, or a request took long, or came late
	silent bool          // nothing came in all of patience

	asked       time.Time     // when the last request of long polling was made
	askedWaited time.Duration // and the sum of the waits then
}

// isLate reports whether more time has passed than the case has waited.
func (r *run) isLate() bool { return time.Since(r.began) > r.waited+lateness }

// parked is the answer to a request that was left open.
type parked struct {
	answer *answer
	err    error
}

func (r *run) close(cancel context.CancelFunc) {
	for _, closeConn := range r.closers {
		closeConn()
	}
	cancel()
	for _, p := range r.parked {
		<-p
	}
}

var verbs = map[string]func(*run, []json.RawMessage) error{
	"ws":      (*run).ws,
	"wsomit":  (*run).wsOmit,
	"wshdr":   (*run).wsReplace,
	"tx":      (*run).sendJSON,
	"raw":     (*run).sendText,
	"txb":     (*run).sendBinary,
	"frame":   (*run).sendFrame,
	"rx":      (*run).expectJSON,
	"rxexact": (*run).expectText,
	"rxb":     func(r *run, args []json.RawMessage) error { return r.expectBytes(opBinary, args) },
	"pong":    func(r *run, args []json.RawMessage) error { return r.expectBytes(opPong, args) },
	"close":   (*run).expectClose,
	"none":    (*run).expectNothing,
	"wait":    (*run).wait,
	"http":    (*run).http,
	"bghttp":  (*run).httpLater,
	"await":   (*run).await,
}

// decodeAll reads the arguments of a step into the targets, one each.
func decodeAll(args []json.RawMessage, targets ...any) error {
	if len(args) != len(targets) {
		return fmt.Errorf("the step has %d arguments, want %d", len(args), len(targets))
	}
	for i, a := range args {
		if err := json.Unmarshal(a, targets[i]); err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return nil
}

package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// prepare reads the arguments of a request and gives a function that makes it.
func (r *run) prepare(args []json.RawMessage) (func() (*answer, error), error) {
	var (
		method, path string
		headers      map[string]string
		rawBody      json.RawMessage
	)
	if err := decodeAll(args, &method, &path, &headers, &rawBody); err != nil {
		return nil, err
	}
	for k, v := range headers {
		headers[k] = r.fill(v)
	}
	body, err := r.bodyOf(rawBody)
	if err != nil {
		return nil, err
	}
	path = r.fill(path)
	return func() (*answer, error) { return request(r.ctx, r.target, method, path, headers, body) }, nil
}

// isLongPoll reports whether the path of a request is that of long polling.
func isLongPoll(path json.RawMessage) bool { return bytes.Contains(path, []byte("/longpoll")) }

// asks notes that a request is made: a session may have ended when it comes long after the last.
func (r *run) asks(path json.RawMessage) {
	if !isLongPoll(path) {
		return
	}
	now := time.Now()
	if !r.asked.IsZero() && now.Sub(r.asked)-(r.waited-r.askedWaited) > pollTime {
		r.late = true
	}
	r.asked, r.askedWaited = now, r.waited
}

func (r *run) http(args []json.RawMessage) error {
	var want expected
	if len(args) != 5 {
		return fmt.Errorf("the step has %d arguments, want 5", len(args))
	}
	if err := json.Unmarshal(args[4], &want); err != nil {
		return err
	}
	do, err := r.prepare(args[:4])
	if err != nil {
		return err
	}
	r.asks(args[1])
	sent := time.Now()
	a, err := do()
	if err != nil {
		return err
	}
	switch took := time.Since(sent); {
	case string(args[0]) == `"POST"`:
		r.late = r.late || took > postTime
	case isLongPoll(args[1]):
		r.late = r.late || took > pollTime
	}
	return r.expectAnswer(a, &want)
}

func (r *run) httpLater(args []json.RawMessage) error {
	var name string
	if len(args) != 5 {
		return fmt.Errorf("the step has %d arguments, want 5", len(args))
	}
	if err := json.Unmarshal(args[0], &name); err != nil {
		return err
	}
	do, err := r.prepare(args[1:])
	if err != nil {
		return err
	}
	if r.parked[name] != nil {
		return fmt.Errorf("request %q is still open", name)
	}
	r.asks(args[2])
	done := make(chan parked, 1)
	go func() {
		a, err := do()
		done <- parked{a, err}
		close(done)
	}()
	r.parked[name] = done
	return nil
}

func (r *run) await(args []json.RawMessage) error {
	var name string
	var want expected
	if err := decodeAll(args, &name, &want); err != nil {
		return err
	}
	done, ok := r.parked[name]
	if !ok {
		return fmt.Errorf("there is no request %q", name)
	}
	p := <-done
	delete(r.parked, name)
	if p.err != nil {
		return p.err
	}
	return r.expectAnswer(p.answer, &want)
}

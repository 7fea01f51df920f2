package channeltest

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/bennu-go/bennu/wire"
)

// inbox has the received messages that the test has not expected yet. The endpoint's lock guards it.
type inbox struct{ unread []*entry }

// find returns the first message with a number above after for which is returns true, or nil.
func (b *inbox) find(is func(*entry) bool, after int) *entry {
	for _, e := range b.unread {
		if e.number > after && is(e) {
			return e
		}
	}
	return nil
}

// take removes a message, so that it is not found again.
func (b *inbox) take(taken *entry) {
	for i, e := range b.unread {
		if e == taken {
			e.taken = true
			b.unread = append(b.unread[:i:i], b.unread[i+1:]...)
			return
		}
	}
}

// find returns the first message in b for which is returns true, or nil. It does not wait, and leaves the
// message in b.
func (e *Endpoint) find(b *inbox, is func(*entry) bool) *entry {
	e.mu.Lock()
	defer e.mu.Unlock()
	return b.find(is, -1)
}

// receive waits for the first message in b for which is and fits return true, and takes it. It ends the
// test after Timeout, or when why says why no further message can come. is and why are called with the
// lock held. fits, which may be nil, is called without it, since it may run code of the test.
func (e *Endpoint) receive(t testing.TB, what string, b *inbox, is func(*entry) bool, why func() over, fits func(*entry) bool) *entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), e.timeout())
	defer cancel()
	for after := -1; ; {
		var got *entry
		ok, hopeless := e.poll(ctx, func() (bool, over) {
			if got = b.find(is, after); got == nil {
				return false, why()
			}
			if fits == nil {
				b.take(got)
			}
			return true, over{}
		})
		switch {
		case !ok && hopeless.text == "":
			t.Fatalf("channeltest: want %s: it did not come within %v\n%s", what, e.timeout(), e.transcript())
		case !ok:
			t.Fatalf("channeltest: want %s: %v\n%s", what, hopeless, e.transcript())
		case fits == nil:
			return got
		case fits(got):
			e.mu.Lock()
			b.take(got)
			e.mu.Unlock()
			return got
		}
		after = got.number
	}
}

// expect is receive with the payload decoded into T. A message that does not decode ends the test, or
// with fits is not the one that is meant.
func expect[T any](t testing.TB, e *Endpoint, what string, b *inbox, is func(*entry) bool, why func() over, fits []func(T) bool) T {
	t.Helper()
	if len(fits) == 0 {
		return decode[T](t, e, what, e.receive(t, what, b, is, why, nil).Payload)
	}
	var value T
	e.receive(t, what+" that fits", b, is, why, func(got *entry) bool {
		var err error
		if value, err = decodeAs[T](got.Payload); err != nil {
			return false
		}
		for _, f := range fits {
			if !f(value) {
				return false
			}
		}
		return true
	})
	return value
}

// decode decodes a payload into T, or ends the test.
func decode[T any](t testing.TB, e *Endpoint, what string, p wire.Payload) T {
	t.Helper()
	value, err := decodeAs[T](p)
	if err != nil {
		t.Fatalf("channeltest: %s does not fit %T: %v\n\tgot %s\n%s", what, value, err, show(p), e.transcript())
	}
	return value
}

// equal ends the test if a payload is not want.
func equal(t testing.TB, e *Endpoint, what string, got wire.Payload, want any) {
	t.Helper()
	wanted, err := encode(want)
	if err != nil {
		t.Fatalf("channeltest: the wanted payload of %s does not encode: %v", what, err)
	}
	if got.Binary == wanted.Binary && bytes.Equal(canonical(got), canonical(wanted)) {
		return
	}
	t.Fatalf("channeltest: %s differs from the wanted payload\n\tgot  %s\n\twant %s\n%s", what, show(got), show(wanted), e.transcript())
}

// await waits until look returns true, or ends the test.
func (e *Endpoint) await(t testing.TB, what string, look func() (ok bool, hopeless over)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), e.timeout())
	defer cancel()
	ok, hopeless := e.poll(ctx, look)
	if ok {
		return
	}
	if hopeless.text == "" {
		hopeless.text = fmt.Sprintf("it did not come within %v", e.timeout())
	}
	t.Fatalf("channeltest: want %s: %v\n%s", what, hopeless, e.transcript())
}

package longpoll

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/transport"
)

// TestAnswerAtTheLastMoment has an answer come while a request is given up, whatever for.
func TestAnswerAtTheLastMoment(t *testing.T) {
	for name, end := range map[string]func(s *server, cancel func()){
		"the time is over":     func(*server, func()) { time.Sleep(time.Second) },
		"the client goes away": func(_ *server, cancel func()) { cancel() },
		"this server closes":   func(s *server, _ func()) { s.Close(transport.CloseRestart) },
	} {
		for status, comes := range map[int]bool{statusOK: true, 0: false} {
			synctest.Test(t, func(t *testing.T) {
				c := &call{srv: testServer(t, nil), news: make(chan struct{}, 1)}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				got := make(chan int, 1)
				go func() {
					status, _ := c.await(ctx, time.Second, 0)
					got <- status
				}()
				synctest.Wait()
				c.mu.Lock() // so that it comes after the end, and before that is looked at
				end(c.srv, cancel)
				if comes {
					c.status = status
				}
				c.mu.Unlock()
				if g := <-got; g != status {
					t.Errorf("%s: got %d, want %d", name, g, status)
				}
			})
		}
	}
}

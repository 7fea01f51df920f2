package client_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/client"
)

func TestHeartbeatEvery30SecondsAfterTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		_, c := p.dial(nil)
		start := time.Now()
		for i, wait := range []time.Duration{30, 30 + 7, 30} {
			m := c.expect("phoenix", "heartbeat")
			if got := time.Since(start); got != wait*time.Second {
				t.Errorf("heartbeat %d after %v, want %v", i+1, got, wait*time.Second)
			}
			if !m.JoinRef.IsNull() || string(m.Payload.Data) != "{}" {
				t.Errorf("heartbeat %+v", m)
			}
			start = time.Now()
			if i == 0 {
				time.Sleep(7 * time.Second) // a late answer stretches the interval
			}
			c.reply(m, "ok", "{}")
		}
	})
}

func TestHeartbeatAnswerIsRecognisedByRefOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(nil)
		m := c.expect("phoenix", "heartbeat")
		m.Topic = "other"
		c.reply(m, "error", "[]")
		c.expect("phoenix", "heartbeat")
		if s.Err() != nil {
			t.Error(s.Err())
		}
	})
}

func TestHeartbeatTimeoutErrorsChannelsAndReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(nil)
		ch := s.Channel("a", nil)
		errs := make(chan error, 10)
		ch.OnError(func(err error) { errs <- err })
		go func() { c.acceptJoin("a") }()
		if _, err := ch.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c.expect("phoenix", "heartbeat")
		err := next(t, "the error", errs)
		if got := time.Since(start); got != 60*time.Second {
			t.Errorf("gave up after %v, want 60s", got)
		}
		if !errors.Is(err, client.ErrDisconnected) || !errors.Is(err, client.ErrHeartbeat) {
			t.Errorf("error %v", err)
		}
		c2 := p.accept()
		c2.acceptJoin("a")
	})
}

func TestNoHeartbeatOnLongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		polls := newPollServer()
		p.longPoll = polls.ServeHTTP
		s := lpV2.dial(t, peerURL, p.options(&client.Options{PollTimeout: time.Hour}))
		time.Sleep(10 * time.Minute)
		if len(polls.posts) != 0 {
			t.Errorf("posted %q", <-polls.posts)
		}
		if s.Err() != nil {
			t.Error(s.Err())
		}
	})
}

func TestPing(t *testing.T) {
	run(t, allModes, func(t *testing.T, m mode, url string) {
		s := m.dial(t, url, nil)
		if d, err := s.Ping(t.Context()); err != nil || d <= 0 {
			t.Errorf("ping: %v, %v", d, err)
		}
		closeSocket(t, s)
		if _, err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "not open") {
			t.Errorf("ping of a closed socket: %v", err)
		}
	})
}

package natsdial

import (
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
)

// client stands for the NATS client: it counts the tries of each server.
type client struct {
	servers []nats.Server
	rounds  Rounds
}

func newClient(urls ...string) *client {
	c := &client{}
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			panic(err)
		}
		c.servers = append(c.servers, nats.Server{URL: u})
	}
	return c
}

// try makes one try, and returns how long it waits before it.
func (c *client) try(connects bool) (host string, wait time.Duration) {
	snapshot := append([]nats.Server(nil), c.servers...)
	s, wait := c.rounds.Next(snapshot, nats.ServerInfo{})
	time.Sleep(wait)
	for i := range c.servers {
		if c.servers[i].URL.Host != s.URL.Host {
			continue
		}
		c.servers[i].Reconnects++
		if connects {
			c.servers[i].Reconnects = 0
		}
	}
	return s.URL.Host, wait
}

// within reports whether a wait is in the range of a round.
func within(wait time.Duration, round int) bool {
	if round == 0 {
		return wait == 0
	}
	d := min(reconnectFirst<<round, reconnectMost)
	return wait >= d/2 && wait <= d
}

func TestRoundsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient("nats://a")
		for i := range 6 {
			if _, wait := c.try(false); !within(wait, i+1) {
				t.Errorf("try %d after %v", i+1, wait)
			}
		}
		c.try(true)
		time.Sleep(steady)
		if _, wait := c.try(false); !within(wait, 1) {
			t.Errorf("after a connection that lasted: %v", wait)
		}

		c = newClient("nats://a", "nats://b", "nats://c")
		seen := map[string]int{}
		for i := range 9 {
			host, wait := c.try(false)
			if seen[host]++; !within(wait, (i+1)/3) {
				t.Errorf("of three, try %d after %v", i+1, wait)
			}
		}
		if len(seen) != 3 || seen["a"] != 3 || seen["b"] != 3 {
			t.Errorf("tried %v", seen)
		}
	})
}

// Servers that accept each connection and close it soon are tried less and less often, however many
// servers there are.
func TestRoundsGrowWhenConnectionsDoNotLast(t *testing.T) {
	for _, urls := range [][]string{{"nats://a"}, {"nats://a", "nats://b"}} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(urls...)
			first := 1 / len(urls) // with one server each try is a round
			last := ""
			for i := range 6 {
				host, wait := c.try(true)
				if !within(wait, first+i) {
					t.Errorf("%d servers, try %d after %v", len(urls), i+1, wait)
				}
				if len(urls) > 1 && host == last {
					t.Errorf("%s is tried again, not another one", host)
				}
				last = host
				time.Sleep(300 * time.Millisecond)
			}
			time.Sleep(steady)
			if _, wait := c.try(true); !within(wait, first) {
				t.Errorf("after a connection that lasted: %v", wait)
			}
		})
	}
}

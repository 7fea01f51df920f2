package redishistory

import (
	"strings"
	"testing"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/history/historytest"
	"github.com/bennu-go/bennu/internal/redistest"
)

// pass makes servers forget the keys of applications.
func pass(t testing.TB, servers []*redistest.Server) {
	for _, s := range servers {
		for _, key := range s.Lines(t, "KEYS", "*}k*") {
			s.Do(t, "DEL", strings.TrimSpace(key))
		}
	}
}

// TestSuite runs the suite with one Redis, behind a proxy that cuts connections.
func TestSuite(t *testing.T) {
	t.Parallel()
	redistest.Need(t)
	s := redistest.Start(t)
	historytest.Run(t, func(t testing.TB) *historytest.Harness {
		s.Do(t, "FLUSHALL")
		proxy := redistest.StartProxy(t)
		proxy.Point(s.Addr)
		return &historytest.Harness{
			Open:     func(t testing.TB) history.Store { return start(t, Options{URL: "redis://" + proxy.Addr}) },
			Cut:      proxy.Cut,
			KeysPass: func(t testing.TB) { pass(t, []*redistest.Server{s}) },
			TooLarge: 8<<20 + 1,
		}
	})
}

// TestClusterSuite runs the suite with a Redis Cluster of three masters.
func TestClusterSuite(t *testing.T) {
	t.Parallel()
	redistest.Need(t)
	proxies := []*redistest.Proxy{redistest.StartProxy(t), redistest.StartProxy(t), redistest.StartProxy(t)}
	c := redistest.StartCluster(t, 3, false, func(i int) []string {
		return []string{"--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", proxies[i].Port()}
	})
	for i, p := range proxies {
		p.Point(c.Masters[i].Addr)
	}
	historytest.Run(t, func(t testing.TB) *historytest.Harness {
		for _, s := range c.Masters {
			s.Do(t, "FLUSHALL")
		}
		return &historytest.Harness{
			Open: func(t testing.TB) history.Store {
				return start(t, Options{Addrs: []string{proxies[0].Addr}, Cluster: true})
			},
			Cut: func() {
				for _, p := range proxies {
					p.Cut()
				}
			},
			KeysPass: func(t testing.TB) { pass(t, c.Masters) },
			TooLarge: 8<<20 + 1,
		}
	})
}

// TestSentinelSuite runs the suite with a master and a replica under Sentinels.
func TestSentinelSuite(t *testing.T) {
	t.Parallel()
	redistest.Need(t)
	s := redistest.StartSentinels(t)
	historytest.Run(t, func(t testing.TB) *historytest.Harness {
		s.Master.Do(t, "FLUSHALL")
		return &historytest.Harness{
			Open: func(t testing.TB) history.Store {
				return start(t, Options{Addrs: s.Addrs(), MasterName: redistest.MasterName})
			},
			Cut: func() {
				for _, kind := range []string{"normal", "pubsub"} {
					s.Master.Says("", "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
				}
			},
			KeysPass: func(t testing.TB) { pass(t, []*redistest.Server{s.Master}) },
			TooLarge: 8<<20 + 1,
		}
	})
}

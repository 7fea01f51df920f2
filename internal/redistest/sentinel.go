package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// MasterName is what the Sentinels call the master.
const MasterName = "bennu-test"

// Sentinels watch over a master and a replica.
type Sentinels struct {
	Master, Replica *Server
	Watchers        []*Server
}

// StartSentinels runs a master, a replica and three Sentinels until the test ends.
func StartSentinels(t testing.TB) *Sentinels {
	t.Helper()
	Need(t)
	s := &Sentinels{Master: Start(t)}
	s.Replica = Start(t, "--replicaof", "127.0.0.1", fmt.Sprint(s.Master.Port))
	waittest.Until(t, "the replica follows", func() bool {
		return strings.Contains(s.Replica.Do(t, "INFO", "replication"), "master_link_status:up")
	})
	for range 3 {
		s.Watchers = append(s.Watchers, startSentinel(t, s.Master.Port))
	}
	for _, w := range s.Watchers {
		waittest.Until(t, "the Sentinels know each other and the replica", func() bool {
			told := w.Do(t, "INFO", "sentinel")
			return strings.Contains(told, "slaves=1,sentinels=3")
		})
	}
	return s
}

func startSentinel(t testing.TB, master int) *Server {
	t.Helper()
	w := &Server{Dir: t.TempDir(), args: []string{"--sentinel"}}
	t.Cleanup(func() { w.Kill(t) })
	// A master that only stands still is not to lose its place.
	config := fmt.Sprintf("bind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 2\n"+
		"sentinel down-after-milliseconds %[2]s 60000\nsentinel failover-timeout %[2]s 5000\n", w.Dir, MasterName, master)
	if err := os.WriteFile(filepath.Join(w.Dir, "sentinel.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for try := 1; ; try++ {
		w.Port = freePorts(t, 1)[0]
		w.Addr = fmt.Sprintf("127.0.0.1:%d", w.Port)
		err := w.run(t)
		if err == nil {
			// They ask seldom, and stand aside for half a minute when the machine was late.
			// Before Redis 7 that stays so.
			w.Do(t, "SENTINEL", "DEBUG", "INFO-PERIOD", "500", "PUBLISH-PERIOD", "200", "ASK-PERIOD", "200", "TILT-PERIOD", "2000")
			return w
		}
		if try == 3 {
			t.Fatal(err)
		}
	}
}

// Hasten has the Sentinels find out soon that the master is dead.
func (s *Sentinels) Hasten(t testing.TB) {
	t.Helper()
	for _, w := range s.Watchers {
		w.Do(t, "SENTINEL", "SET", MasterName, "down-after-milliseconds", "1000")
	}
}

// Addrs are the addresses of the Sentinels.
func (s *Sentinels) Addrs() (addrs []string) {
	for _, w := range s.Watchers {
		addrs = append(addrs, w.Addr)
	}
	return addrs
}

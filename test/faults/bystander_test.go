package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// bystandersEnv makes this program bystanders, in a process of their own: what they measure is
// the server, and not whether they are served themselves where it runs. The values are the
// address of the server and how many they are.
const bystandersEnv = "BENNU_FAULTS_BYSTANDERS"

// bystanders are clients that want nothing but their echoes while others misbehave.
// The stop function fails the test if one was disconnected or missed one.
func bystanders(t *testing.T, s *server) (stop func()) {
	t.Helper()
	p := startSelf(t, "bystanders", bystandersEnv, s.addr, waittest.Sized(10, 100))
	p.Await(t, "all have joined\n")
	return func() {
		t.Helper()
		if code := p.Stop(t); code != 0 {
			t.Errorf("the bystanders ended with %d", code)
		}
		var e echoTimes
		if err := json.Unmarshal([]byte(p.Await(t, `echoes: (.*)\n`)[1]), &e); err != nil {
			t.Fatal(err)
		}
		for _, err := range e.Errors {
			t.Errorf("a bystander: %s", err)
		}
		t.Logf("bystanders: %d echoes of %d clients", e.Echoes, e.Clients)
		waittest.AtMost(t, "bystanders' p99", e.P99, 100*time.Millisecond)
		waittest.AtMost(t, "bystanders' p99.9", e.P999, 500*time.Millisecond)
	}
}

// echoTimes is how long the echoes of bystanders took.
type echoTimes struct {
	Clients, Echoes int
	P99, P999       time.Duration
	Errors          []string
}

// runBystanders runs bystanders until the process is asked to end, and prints how long their
// echoes took.
func runBystanders(of string) (code int) {
	addr, n, err := addrAndNumber(of)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	end := make(chan struct{})
	var all, joined sync.WaitGroup
	var mu sync.Mutex
	var times []time.Duration
	ends := echoTimes{Clients: n}
	joined.Add(n)
	for i := range n {
		all.Go(func() {
			own, err := bystand(addr, fmt.Sprintf("room:bystander-%d", i), joined.Done, end)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, own...)
			if err != nil {
				ends.Errors = append(ends.Errors, err.Error())
			}
		})
	}
	joined.Wait()
	fmt.Println("all have joined")
	<-asked
	close(end)
	all.Wait()
	ends.Echoes, ends.P99, ends.P999 = len(times), percentile(times, 99), percentile(times, 99.9)
	out, err := json.Marshal(ends)
	fmt.Printf("echoes: %s\n", out)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// bystand joins a topic, asks for an echo every 100 ms, and returns how long each took.
func bystand(addr, topic string, joined func(), end <-chan struct{}) (times []time.Duration, err error) {
	var once sync.Once
	defer once.Do(joined)
	p, err := openSocket(addr, "/socket")
	if err != nil {
		return nil, err
	}
	defer p.close()
	const joinRef = `"1"`
	ask := func(ref, event string) error {
		_ = p.nc.SetDeadline(time.Now().Add(wstest.Patience))
		if _, err := p.nc.Write(wstest.Text(wstest.V2(joinRef, ref, topic, event, `{}`)).Append(nil)); err != nil {
			return err
		}
		f, err := wstest.ReadFrame(p.br)
		if err != nil {
			return err
		}
		if want := wstest.OK(joinRef, ref, topic); !sameJSON(string(f.Payload), want) {
			return fmt.Errorf("got %v, want %s", f, want)
		}
		return nil
	}
	if err := ask(joinRef, "phx_join"); err != nil {
		return nil, err
	}
	once.Do(joined)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-end:
			return times, nil
		case <-tick.C:
		}
		began := time.Now()
		if err := ask(fmt.Sprintf(`"e%d"`, i), "echo"); err != nil {
			return times, err
		}
		times = append(times, time.Since(began))
	}
}

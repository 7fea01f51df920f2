package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

// floodIdle is the idle timeout of connections beside a flood.
var floodIdle = waittest.Sized(time.Second, 10*time.Second)

// TestFlood: clients that send as fast as they can, in several ways, beside idle ones, some
// that are closed and do not go, and some that want nothing but their echoes. The idle and
// the closed ones are cut in time, those that answer pings live, and no descriptor is left.
func TestFlood(t *testing.T) {
	t.Run("epoll", func(t *testing.T) { testFlood(t, false) })
	if waittest.Full {
		t.Run("parked", func(t *testing.T) { testFlood(t, true) })
	}
}

func testFlood(t *testing.T, noEpoll bool) {
	s := start(t, &bennu.EndpointOptions{NoEpoll: noEpoll}, func(e *bennu.Endpoint) {
		e.Socket("/socket", echoes(), nil)
		e.Socket("/idle", echoes(), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{IdleTimeout: floodIdle})}})
	})
	base := descriptors(t)
	stopBystanders := bystanders(t, s)
	flood := startFlood(t, s.addr, waittest.Sized(4, 400))
	var rest sync.WaitGroup
	var mu sync.Mutex
	var closed []time.Duration
	arriving := make(chan struct{}, floodArriving)
	idle := startIdleClients(t, s.addr, waittest.Sized(100, 10_000))
	for range waittest.Sized(30, 300) {
		rest.Go(func() {
			arriving <- struct{}{}
			p, err := openSocket(s.addr, "/socket")
			<-arriving
			if err != nil {
				t.Errorf("a client to be closed: %v", err)
				return
			}
			defer p.close()
			if _, err := p.nc.Write(wstest.Text("nonsense").Append(nil)); err != nil {
				t.Errorf("a client to be closed: %v", err)
				return
			}
			if err := p.closedWith(1011); err != nil {
				t.Errorf("a client to be closed: %v", err)
				return
			}
			took := p.untilGone() - time.Second // of CloseLinger
			mu.Lock()
			defer mu.Unlock()
			closed = append(closed, took)
		})
	}
	rest.Wait()
	ends := idle(t)
	stopBystanders()
	flood.Kill()
	t.Logf("%d idle connections, %d closed ones, %d that answer pings", ends.Closed, len(closed), ends.Lives)
	for _, err := range ends.Errors {
		t.Errorf("an idle client: %s", err)
	}
	waittest.AtMost(t, "the last idle connection was closed late by", ends.Late, 2*time.Second)
	waittest.AtMost(t, "the last closed connection was gone late by", percentile(closed, 100), 2*time.Second)
	eventually(t, "nothing is left", func() bool { return s.left() == "" })
	eventually(t, "descriptors are back at base", func() bool { return descriptors(t) <= base })
}

// floodArriving is how many connections are opened at once, so that the listener's queue does
// not overflow.
const floodArriving = 64

// idleEnv makes this program the idle clients of TestFlood, and floodEnv the flooding ones, in
// processes of their own, because of their descriptors and so that the server has its share of
// the cores. The values are the address of the server and how many they are.
const (
	idleEnv  = "BENNU_FAULTS_IDLE"
	floodEnv = "BENNU_FAULTS_FLOOD"
)

// startSelf starts this program with a variable.
func startSelf(t *testing.T, name, variable, addr string, n int) *proctest.Process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return proctest.Start(t, name, []string{fmt.Sprintf("%s=%s %d", variable, addr, n)}, program)
}

// startFlood starts flooding clients, and waits until all flood.
func startFlood(t *testing.T, addr string, n int) *proctest.Process {
	t.Helper()
	p := startSelf(t, "flood", floodEnv, addr, n)
	p.Await(t, "all flood\n")
	return p
}

// runFlood runs flooding clients until the process is killed.
func runFlood(of string) (code int) {
	addr, n, err := addrAndNumber(of)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var all, begun sync.WaitGroup
	begun.Add(n)
	for i := range n {
		all.Go(func() {
			for first := true; ; first = false {
				p, err := openSocket(addr, "/socket")
				if first {
					begun.Done()
				}
				if err != nil {
					fmt.Println(err)
					return
				}
				p.flood(i)
				p.close()
			}
		})
	}
	begun.Wait()
	fmt.Println("all flood")
	all.Wait()
	return 1
}

func addrAndNumber(of string) (addr string, n int, err error) {
	_, err = fmt.Sscan(of, &addr, &n)
	return addr, n, err
}

// idleEnds is how idle clients ended.
type idleEnds struct {
	Closed int           // those that say nothing at all
	Late   time.Duration // how late the last of them was closed
	Lives  int           // those that answer pings, for two idle timeouts
	Errors []string
}

// startIdleClients starts idle clients. The function waits for their ends.
func startIdleClients(t *testing.T, addr string, n int) (wait func(*testing.T) idleEnds) {
	t.Helper()
	p := startSelf(t, "idle clients", idleEnv, addr, n)
	return func(t *testing.T) (e idleEnds) {
		t.Helper()
		if err := json.Unmarshal([]byte(p.Await(t, `ends: (.*)\n`)[1]), &e); err != nil {
			t.Fatal(err)
		}
		return e
	}
}

// runIdleClients opens idle clients, of which some answer pings, and prints how they ended.
func runIdleClients(of string) (code int) {
	addr, n, err := addrAndNumber(of)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	ends := idleEnds{}
	arriving := make(chan struct{}, floodArriving)
	for i := range n {
		all.Go(func() {
			arriving <- struct{}{}
			p, err := openSocket(addr, "/idle")
			<-arriving
			answers := waittest.Full && i%10 == 0 // on a busy machine the answers may be late
			var late time.Duration
			switch began := time.Now(); {
			case err != nil:
			case answers:
				err = p.answerPings(began.Add(2 * floodIdle))
			default:
				err = p.closedWith(1002)
				late = time.Since(began) - floodIdle
			}
			if p != nil {
				p.close()
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				ends.Errors = append(ends.Errors, err.Error())
			case answers:
				ends.Lives++
			default:
				ends.Closed, ends.Late = ends.Closed+1, max(ends.Late, late)
			}
		})
	}
	all.Wait()
	out, err := json.Marshal(ends)
	fmt.Printf("ends: %s\n", out)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// descriptors counts those of this process, where the system tells; 0 elsewhere.
func descriptors(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	return len(list)
}

// openSocket opens a WebSocket.
func openSocket(addr, path string) (*peer, error) {
	p, err := dial(addr)
	if err != nil {
		return nil, err
	}
	_ = p.nc.SetDeadline(time.Now().Add(wstest.Patience))
	_, err = io.WriteString(p.nc, head("GET", path+"/websocket?vsn=2.0.0", "Host: "+addr, "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
	if err == nil {
		var answer *http.Response
		if answer, err = http.ReadResponse(p.br, nil); err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
			err = errors.New(answer.Status)
		}
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// closedWith reads until the close frame, whose code it wants.
func (p *peer) closedWith(code int) error {
	for {
		f, err := wstest.ReadFrame(p.br)
		switch {
		case err != nil:
			return err
		case f.Op == wstest.OpPing: // is not answered
		case f.Code() == code:
			return nil
		default:
			return fmt.Errorf("got %v, want close %d", f, code)
		}
	}
}

// answerPings answers pings, and says nothing else until some time.
func (p *peer) answerPings(until time.Time) error {
	for pings := 0; ; pings++ {
		_ = p.nc.SetReadDeadline(until)
		f, err := wstest.ReadFrame(p.br)
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout() && pings > 0:
			return nil
		case err != nil:
			return fmt.Errorf("after %d pings: %w", pings, err)
		case f.Op != wstest.OpPing:
			return fmt.Errorf("got %v, want a ping", f)
		}
		if _, err := p.nc.Write(wstest.Frame{Op: wstest.OpPong, Payload: f.Payload}.Append(nil)); err != nil {
			return err
		}
	}
}

// untilGone sends a byte now and then until the server has closed the socket, and returns how
// long that took.
func (p *peer) untilGone() time.Duration {
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := p.nc.Write([]byte{0}); err != nil {
			break
		}
	}
	return time.Since(began)
}

// flood sends without a pause, and reads what is answered, until it is closed: as a slow
// consumer, when it cannot keep up with the answers.
func (p *peer) flood(i int) {
	_ = p.nc.SetDeadline(time.Time{})
	go func() { _, _ = io.Copy(io.Discard, p.br) }()
	topic := fmt.Sprintf("room:flood-%d", i)
	_, err := p.nc.Write(wstest.Text(wstest.V2(`"1"`, `"1"`, topic, "phx_join", "{}")).Append(nil))
	for b := floodOf(i, topic); err == nil; {
		_, err = p.nc.Write(b)
	}
}

// floodOf is what a flooding client sends over and over.
func floodOf(i int, topic string) []byte {
	many := func(n int, frames ...wstest.Frame) []byte {
		var b []byte
		for _, f := range frames {
			b = f.Append(b)
		}
		return bytes.Repeat(b, n)
	}
	message := func(ref, topic, event string) wstest.Frame {
		return wstest.Text(wstest.V2("null", ref, topic, event, "{}"))
	}
	switch i % 4 {
	case 0: // small messages that go nowhere, and are not answered
		return many(1000, message("null", "nowhere", "x"))
	case 1: // heartbeats, each answered
		return many(100, message(`"1"`, "phoenix", "heartbeat"))
	case 2: // large messages
		return many(4, wstest.Text(wstest.V2("null", "null", "nowhere", "x", `"`+strings.Repeat("x", 100_000)+`"`)))
	default: // messages for a channel, in fragments
		whole := wstest.V2(`"1"`, `"2"`, topic, "echo", "{}")
		return many(100,
			wstest.Frame{Op: wstest.OpText, Payload: []byte(whole[:10]), Partial: true},
			wstest.Frame{Op: wstest.OpContinuation, Payload: []byte(whole[10:])})
	}
}

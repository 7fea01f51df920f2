package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/wstest"
)

// watcher is a client of a node that has joined a topic and follows the numbers there.
// As stock clients do, it joins again when it gets phx_error.
type watcher struct {
	name, topic string
	conn        net.Conn
	tally       tally

	mu       sync.Mutex
	ref      int
	joinRef  string
	joined   bool
	joins    int
	told     int            // phx_error
	excused  int            // of these, before the test began
	toldAt   map[string]int // how many of these there had been when a publisher's last number came
	silent   []string       // gaps of which nothing told yet
	loud     []string       // gaps of which something did
	err      error
	stopping bool
}

// retryJoin is when a watcher asks again after a join that was refused.
const retryJoin = 100 * time.Millisecond

// heartbeat is when it shows that it is there.
const heartbeat = 15 * time.Second

// watch connects a watcher and waits until it has joined.
func (n *node) watch(t testing.TB, topic string) *watcher {
	t.Helper()
	network, addr := "tcp", n.ready.Addr
	if n.options.Clients != "" {
		network, addr = "unix", n.options.Clients
	}
	conn, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{name: fmt.Sprintf("a client of %s in %s", n.name, topic), topic: topic, conn: conn, toldAt: make(map[string]int)}
	r := bufio.NewReader(conn)
	if err := w.upgrade(r); err != nil {
		t.Fatalf("%s: %v", w.name, err)
	}
	var tasks sync.WaitGroup
	stop := make(chan struct{})
	tasks.Go(func() { w.fail(w.read(r)) })
	tasks.Go(func() { w.beat(stop) })
	t.Cleanup(func() {
		w.leave()
		close(stop)
		tasks.Wait()
	})
	w.join()
	eventually(t, w.name+" has joined", w.isJoined)
	return w
}

func (w *watcher) upgrade(r *bufio.Reader) error {
	_ = w.conn.SetDeadline(time.Now().Add(patience))
	_, err := w.conn.Write([]byte("GET /socket/websocket?vsn=2.0.0&id=watcher HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
	if err != nil {
		return err
	}
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("HTTP %s", answer.Status)
	}
	return w.conn.SetDeadline(time.Time{})
}

// leave closes the connection; that it ends is no fault then.
func (w *watcher) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopping = true
	_ = w.conn.Close()
}

func (w *watcher) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && !w.stopping {
		w.err = err
	}
}

// sendLocked sends a message with a ref of its own.
func (w *watcher) sendLocked(topic, event, payload string) (ref string) {
	w.ref++
	ref = fmt.Sprintf(`"%d"`, w.ref)
	joinRef := w.joinRef
	switch {
	case event == "phx_join":
		joinRef = ref
	case topic == "phoenix":
		joinRef = "null"
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(patience))
	// The reader learns what is wrong with the connection.
	_, _ = w.conn.Write(wstest.Text(wstest.V2(joinRef, ref, topic, event, payload)).Append(nil))
	return ref
}

func (w *watcher) join() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.joined = false
	w.joinRef = w.sendLocked(w.topic, "phx_join", "{}")
}

func (w *watcher) isJoined() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.joined || w.err != nil
}

func (w *watcher) beat(stop <-chan struct{}) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.mu.Lock()
			w.sendLocked("phoenix", "heartbeat", "{}")
			w.mu.Unlock()
		case <-stop:
			return
		}
	}
}

func (w *watcher) read(r *bufio.Reader) error {
	for {
		f, err := wstest.ReadFrame(r)
		if err != nil {
			return err
		}
		if f.Op == wstest.OpPing { // the heartbeat is late
			w.mu.Lock()
			_ = w.conn.SetWriteDeadline(time.Now().Add(patience))
			_, _ = w.conn.Write(wstest.Frame{Op: wstest.OpPong, Payload: f.Payload}.Append(nil))
			w.mu.Unlock()
			continue
		}
		if f.Op == wstest.OpClose {
			return fmt.Errorf("the node closed with %d", f.Code())
		}
		var parts []json.RawMessage
		var topic, event string
		if err := json.Unmarshal(f.Payload, &parts); err != nil || len(parts) != 5 {
			return fmt.Errorf("%v is no message", f)
		}
		w.mu.Lock() // not before the join has been sent
		joinRef := w.joinRef
		w.mu.Unlock()
		_ = json.Unmarshal(parts[2], &topic)
		_ = json.Unmarshal(parts[3], &event)
		switch {
		case event == numbered:
			w.number(numberOf(parts[4]))
		case event == "phx_error" && string(parts[0]) == joinRef:
			w.mu.Lock()
			w.told++
			w.loud, w.silent = append(w.loud, w.silent...), nil
			w.mu.Unlock()
			w.join()
		case event == "phx_reply" && string(parts[1]) == joinRef:
			if !strings.Contains(string(parts[4]), `"ok"`) {
				time.Sleep(retryJoin) // as a client would
				w.join()
				continue
			}
			w.mu.Lock()
			w.joined = true
			w.joins++
			w.mu.Unlock()
		case event == "phx_close":
			return fmt.Errorf("%s", f.Payload)
		}
	}
}

// number notes a number. A gap before it must have been told of since the number before,
// or be told of later.
func (w *watcher) number(n number) {
	before := w.tally.take(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	if before > 0 && n.N > before+1 {
		gap := fmt.Sprintf("%s: %d to %d of %s", w.name, before+1, n.N-1, n.From)
		if w.told > w.toldAt[n.From] {
			w.loud = append(w.loud, gap)
		} else {
			w.silent = append(w.silent, gap)
		}
	}
	w.toldAt[n.From] = w.told
}

// times is how often it was told that it may have missed something.
func (w *watcher) times() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told
}

// excuse forgets what was told until now.
func (w *watcher) excuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.excused, w.loud = w.told, nil
}

// check fails the test if the connection ended, something came twice or not in its
// order, or a gap was never told of.
func (w *watcher) check(t testing.TB) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		t.Errorf("%s lost its connection: %v", w.name, w.err)
	}
	for _, gap := range w.silent {
		t.Errorf("a silent gap: %s", gap)
	}
	for _, c := range w.tally.counts() {
		if c.Wrong != "" {
			t.Errorf("%s: %s", w.name, c.Wrong)
		}
	}
}

// checkWhole is check for one that must have got everything and have been told nothing.
func (w *watcher) checkWhole(t testing.TB) {
	t.Helper()
	w.check(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.told - w.excused; n != 0 {
		t.Errorf("%s got phx_error %d times", w.name, n)
	}
	for _, gap := range w.loud {
		t.Errorf("missed: %s", gap)
	}
}

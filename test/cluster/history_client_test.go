package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/wstest"
)

// resumer is a client that has the three lines of an application: it keeps the last position that it
// was sent, and joins again with it, wherever that leads.
type resumer struct {
	name, topic, addr string
	least, most       time.Duration // how long a connection lives; most 0 is until the other end closes it

	count *tallies
	conn  net.Conn
	since string // JSON
	refs  int
	join  string // the ref of the join

	mu     sync.Mutex
	last   int
	lost   bool // it was told that it has lost messages, and has got none since then
	faults []string
	told   []string // losses
}

// tallies are what all clients of a test have seen.
type tallies struct {
	deliveries, cuts, joins, recovered, replays, lost, refused atomic.Int64
	excused                                                    func(topic string, n int) bool // n may come again
}

// run connects and joins again and again, until ctx ends.
func (r *resumer) run(ctx context.Context) {
	r.since = "null"
	for ctx.Err() == nil {
		err := r.visit(ctx)
		r.count.cuts.Add(1)
		if err != nil && !isCut(err) {
			r.fault("%v", err)
			return
		}
		// As a client would wait.
		timer := time.NewTimer(10*time.Millisecond + rand.N(50*time.Millisecond))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// errGone is the end of a connection that a client may see at any time.
var errGone = errors.New("the connection is gone")

func isCut(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, errGone) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// visit is one connection.
func (r *resumer) visit(ctx context.Context) error {
	conn, err := net.DialTimeout("tcp", r.addr, patience)
	if err != nil {
		return err
	}
	c := &mortal{Conn: conn}
	defer c.reset()
	defer context.AfterFunc(ctx, c.reset)()
	if r.most > 0 {
		defer time.AfterFunc(r.least+rand.N(r.most-r.least), c.die).Stop()
	}
	r.conn, r.refs = c, 0
	in := bufio.NewReaderSize(c, 16<<10)
	if err := r.upgrade(in); err != nil {
		return err
	}
	r.rejoin()
	for {
		f, err := wstest.ReadFrame(in)
		if err != nil {
			return err
		}
		if err := r.take(f); err != nil {
			return err
		}
	}
}

func (r *resumer) upgrade(in *bufio.Reader) error {
	_, err := io.WriteString(r.conn, "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		return err
	}
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return errGone // maybe cut within
	}
	if answer.StatusCode != http.StatusSwitchingProtocols { // the node drains, or all nodes are away
		r.count.refused.Add(1)
		return errGone
	}
	return nil
}

// rejoin sends a join. The reader learns what is wrong with the connection.
func (r *resumer) rejoin() {
	r.refs++
	r.join = fmt.Sprintf(`"%d"`, r.refs)
	_, _ = r.conn.Write(wstest.Text(wstest.V2(r.join, r.join, r.topic, "phx_join", `{"since":`+r.since+`}`)).Append(nil))
}

// take handles a frame.
func (r *resumer) take(f wstest.Frame) error {
	switch f.Op {
	case wstest.OpPing:
		_, _ = r.conn.Write(wstest.Frame{Op: wstest.OpPong, Payload: f.Payload}.Append(nil))
		return nil
	case wstest.OpClose:
		if code := f.Code(); code != 1001 && code != 1012 {
			return fmt.Errorf("closed with %d", code)
		}
		return errGone
	}
	var parts [5]json.RawMessage
	if err := json.Unmarshal(f.Payload, &parts); err != nil {
		return fmt.Errorf("%v is no message", f)
	}
	joinRef, ref := string(parts[0]), string(parts[1])
	if joinRef != "null" && joinRef != r.join {
		return nil // of an earlier join
	}
	if strings.Contains(ref, ":") {
		r.since = ref
	}
	switch event := string(parts[3]); event {
	case `"n"`:
		r.number(parts[4])
	case `"bennu:resume"`:
		r.resumed(string(parts[4]))
	case `"phx_reply"`:
		if !strings.Contains(string(parts[4]), `"ok"`) {
			r.count.refused.Add(1)
			return errGone // tries again
		}
		r.count.joins.Add(1)
	case `"phx_error"`:
		r.rejoin()
	case `"bennu:offset"`:
	default:
		return fmt.Errorf("%s came", f.Payload)
	}
	return nil
}

// resumed notes what the client is told of its join.
func (r *resumer) resumed(told string) {
	switch {
	case strings.Contains(told, `"recovered"`):
		r.count.recovered.Add(1)
	case strings.Contains(told, `"live"`):
		r.count.replays.Add(1)
	case strings.Contains(told, `"lost"`):
		r.count.lost.Add(1)
		r.mu.Lock()
		r.lost = true
		r.told = append(r.told, fmt.Sprintf("after %d: %s", r.last, told))
		r.mu.Unlock()
	}
}

// number notes a number. It follows the last one, unless the client was told that it has lost some.
func (r *resumer) number(payload []byte) {
	var p struct{ N int }
	if err := json.Unmarshal(payload, &p); err != nil {
		r.fault("the payload %s", payload)
		return
	}
	r.count.deliveries.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case p.N == r.last+1, p.N > r.last && (r.lost || r.last == 0):
	case p.N > r.last:
		r.faultLocked("%d after %d: lost", p.N, r.last)
	case r.count.excused != nil && r.count.excused(r.topic, p.N):
	default:
		r.faultLocked("%d after %d: doubled or out of order", p.N, r.last)
	}
	r.last, r.lost = max(r.last, p.N), false
}

// reached reports whether the client has a number.
func (r *resumer) reached(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last >= n
}

func (r *resumer) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faultLocked(format, args...)
}

// mostFaults is how many are kept: one is enough, and others often follow from it.
const mostFaults = 5

func (r *resumer) faultLocked(format string, args ...any) {
	if len(r.faults) < mostFaults {
		r.faults = append(r.faults, fmt.Sprintf("%s %s: ", r.name, time.Now().Format("15:04:05.000"))+fmt.Sprintf(format, args...)+" since "+r.since)
	}
}

// mortal is a connection that dies: at once, inside what is read next, or after a silence in which
// everything is lost.
type mortal struct {
	net.Conn
	within, mute atomic.Bool
}

func (m *mortal) die() {
	switch rand.IntN(3) {
	case 0:
		m.reset()
	case 1:
		m.within.Store(true)
	default:
		m.mute.Store(true)
		time.AfterFunc(50*time.Millisecond, m.reset)
	}
}

// reset ends it without a word.
func (m *mortal) reset() {
	_ = m.Conn.(*net.TCPConn).SetLinger(0)
	_ = m.Conn.Close()
}

// Read implements net.Conn.
func (m *mortal) Read(p []byte) (int, error) {
	for {
		n, err := m.Conn.Read(p)
		switch {
		case err != nil:
			return n, err
		case m.mute.Load():
		case m.within.Load():
			m.reset()
			return rand.IntN(n), nil
		default:
			return n, nil
		}
	}
}

package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/bennu-go/bennu/internal/wsframe"
)

// resumer is a client as docs/history.md has it: of each topic it keeps the ref of the last broadcast,
// or of bennu:resume, and sends it with the next join. It looks at every message.
type resumer struct {
	audience *audience
	rand     *rand.Rand
	follow   []*following

	conn     net.Conn
	in       *bufio.Reader
	refs     int
	cutAt    time.Time
	look     time.Time // when to look whether there is nothing more to come
	alive    time.Time // of the next heartbeat
	received int64     // since the last report
}

// following is a topic that it has joined, or tries to join.
type following struct {
	*chronicle
	joinRef string // of its join, as JSON
	sent    string // the position in that
	again   bool   // it was joined on this connection before that
	replied bool   // the reply has come, so bennu:resume is next
	resumed bool   // bennu:resume has come
	unheard bool   // the join before was told that it has lost messages, which nobody listened to any more
	early   bool   // it was told so before the answer to the join, which will say it once more
	at      position
	ref     string   // the same as the client got it; "" before the first
	lost    bool     // it was told so, since the log has forked
	told    []string // that it has lost messages
}

// errUnsound is an error of the client that no cut explains.
var errUnsound = errors.New("unsound")

func unsound(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errUnsound, fmt.Errorf(format, args...))
}

// run connects again and again until it has everything.
func (r *resumer) run() {
	defer r.report()
	for !r.done() && !r.audience.stopped() {
		err := r.connect()
		for err == nil {
			err = r.step()
		}
		r.hangUp()
		r.report()
		if errors.Is(err, errUnsound) {
			r.audience.wrong(err)
			return
		}
		if !errors.Is(err, errCut) {
			r.audience.count(&r.audience.troubles, err.Error())
			r.audience.pause(time.Duration(10+r.rand.IntN(200)) * time.Millisecond)
		}
	}
}

// done reports whether the client has the last message of each topic.
func (r *resumer) done() bool {
	if !r.audience.ending.Load() {
		return false
	}
	for _, f := range r.follow {
		if !f.isHead(f.at, noted{endWriter, 1}) || f.forked() && !f.lost {
			return false
		}
	}
	return true
}

// report adds what was received to the sum of all.
func (r *resumer) report() {
	r.audience.deliveries.Add(r.received)
	r.received = 0
}

// handshake is the request of a client, whose key need not be a secret here.
const handshake = "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: cluster\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// connect connects by way of the load balancer, and joins all topics.
func (r *resumer) connect() (err error) {
	if r.conn, err = net.DialTimeout("tcp", r.audience.addr, patience); err != nil {
		return errors.New("the load balancer refuses")
	}
	r.in = bufio.NewReaderSize(r.conn, 16<<10)
	_ = r.conn.SetDeadline(time.Now().Add(patience))
	if _, err = r.conn.Write([]byte(handshake)); err != nil {
		return errors.New("the handshake is cut")
	}
	answer, err := http.ReadResponse(r.in, nil)
	if err != nil {
		return errors.New("the handshake is cut")
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	r.cutAt = time.Now().Add(r.audience.life(r.rand))
	r.look, r.alive = time.Now().Add(looks), time.Now().Add(heartbeats)
	for _, f := range r.follow {
		f.again, f.unheard = false, false
		if err := r.join(f); err != nil {
			return err
		}
	}
	return nil
}

// hangUp ends the connection, most often without a word.
func (r *resumer) hangUp() {
	if r.conn == nil {
		return
	}
	if r.rand.IntN(4) > 0 {
		_ = r.conn.(*net.TCPConn).SetLinger(0)
	}
	_ = r.conn.Close()
	r.conn = nil
}

// join joins a topic with the position that the client has.
func (r *resumer) join(f *following) error {
	r.refs++
	f.joinRef, f.sent, f.replied, f.resumed, f.early = fmt.Sprintf(`"%d"`, r.refs), f.ref, false, false, false
	since := "null"
	if f.ref != "" {
		since = `"` + f.ref + `"`
	}
	return r.send(fmt.Sprintf(`[%s,%s,%q,"phx_join",{"since":%s}]`, f.joinRef, f.joinRef, f.topic, since))
}

func (r *resumer) send(text string) error {
	_ = r.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := r.conn.Write(wsframe.AppendMasked(nil, wsframe.Text, [4]byte{1, 2, 3, 4}, []byte(text))); err != nil {
		return errors.New("writing fails")
	}
	return nil
}

// The times between two heartbeats, and between two looks whether the client has everything.
const (
	heartbeats = 20 * time.Second
	looks      = time.Second
)

// step takes one frame, or sees that it is time for something else.
func (r *resumer) step() error {
	deadline := r.cutAt
	if r.look.Before(deadline) {
		deadline = r.look
	}
	_ = r.conn.SetReadDeadline(deadline)
	op, payload, size, err := r.peek()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return r.tick()
	case err != nil:
		return errors.New("the connection is cut")
	case op == wsframe.Close && len(payload) > 1:
		return fmt.Errorf("closed with %d", int(payload[0])<<8|int(payload[1]))
	case op == wsframe.Text:
		if err := r.take(payload); err != nil {
			return err
		}
	}
	_, err = r.in.Discard(size)
	return err
}

// tick does what is due.
func (r *resumer) tick() error {
	r.report()
	now := time.Now()
	switch {
	case !now.Before(r.cutAt):
		return r.cut()
	case r.done(), r.audience.stopped():
		return errCut
	}
	r.look = now.Add(looks)
	if now.Before(r.alive) {
		return nil
	}
	r.alive = now.Add(heartbeats)
	return r.send(`[null,"0","phoenix","heartbeat",{}]`)
}

// peek returns the next frame, once all of it is there. What has come of one stays for the next call.
func (r *resumer) peek() (op byte, payload []byte, size int, err error) {
	for want := 2; ; {
		data, err := r.in.Peek(want)
		if err != nil {
			return 0, nil, 0, err
		}
		h, n := wsframe.Parse(data)
		switch {
		case n == 0:
			want += 2
		case len(data) < n+int(h.Length):
			want = n + int(h.Length)
		default:
			return h.Op, data[n : n+int(h.Length)], n + int(h.Length), nil
		}
	}
}

// cut ends the connection, or one join of it: then it joins a topic again, as a page does that is left
// and opened again, while messages of the join before are under way.
func (r *resumer) cut() error {
	if r.done() || r.rand.IntN(4) > 0 {
		r.audience.cuts.Add(1)
		return errCut
	}
	r.audience.rejoins.Add(1)
	r.cutAt = time.Now().Add(r.audience.life(r.rand))
	f := r.follow[r.rand.IntN(len(r.follow))]
	// Clients leave a topic first if they do not know whether they have joined it.
	if !f.resumed || r.rand.IntN(2) > 0 {
		r.refs++
		if err := r.send(fmt.Sprintf(`[%s,"%d",%q,"phx_leave",{}]`, f.joinRef, r.refs, f.topic)); err != nil {
			return err
		}
	}
	f.again = true
	return r.join(f)
}

// take takes a message. It is only valid until the next one.
func (r *resumer) take(frame []byte) error {
	rest, broadcast := bytes.CutPrefix(frame, []byte(`[null,"`))
	if !broadcast {
		return r.takeOwn(frame)
	}
	ref, rest, _ := bytes.Cut(rest, []byte(`","`))
	topic, rest, _ := bytes.Cut(rest, []byte(`","`))
	event, rest, _ := bytes.Cut(rest, []byte(`",`))
	f := r.of(topic)
	switch {
	case string(topic) == "phoenix":
		return nil
	case string(event) == "bennu:resume":
		return r.takeOwn(frame)
	case f == nil || string(event) != noteworthy:
		return unsound("%s", frame)
	}
	n, err := parseNoted(bytes.TrimSuffix(rest, []byte("]")))
	if err != nil {
		return unsound("%w", err)
	}
	at, err := parsePosition(string(ref))
	if err == nil && !f.resumed && f.again && (f.ref == "" || f.unheard && at.epoch != f.at.epoch) {
		// It is of the join before, to whose bennu:resume nobody listens any more. The answer to the
		// new one says where the client is, and whether it has lost something.
		r.audience.crossed.Add(1)
		return nil
	}
	if err == nil && f.ref == "" {
		err = errors.New("it came before bennu:resume")
	}
	if err == nil {
		err = f.follows(f.at, at, n)
	}
	if err != nil {
		return unsound("%s: %w; the join sent %q, and is answered: %t", f.topic, err, f.sent, f.resumed)
	}
	f.at, f.ref = at, string(ref)
	r.received++
	return nil
}

// of finds a topic. There are few.
func (r *resumer) of(topic []byte) *following {
	for _, f := range r.follow {
		if f.topic == string(topic) {
			return f
		}
	}
	return nil
}

// takeOwn takes a message to one join.
func (r *resumer) takeOwn(frame []byte) error {
	var parts [5]json.RawMessage
	var topic, event string
	var payload struct {
		Status, Reason string
		Count          int
	}
	err := json.Unmarshal(frame, &parts)
	for i, into := range map[int]any{2: &topic, 3: &event, 4: &payload} {
		err = errors.Join(err, json.Unmarshal(parts[i], into))
	}
	f := r.of([]byte(topic))
	switch {
	case topic == "phoenix" && err == nil:
		return nil
	case err != nil || f == nil:
		return unsound("%s: %v", frame, err)
	case string(parts[0]) != f.joinRef && string(parts[0]) != "null": // of an earlier join, which nobody listens to any more
		f.unheard = f.unheard || event == "bennu:resume" && payload.Status == "lost"
		return nil
	}
	switch event {
	case "phx_reply":
		if payload.Status != "ok" {
			return fmt.Errorf("a join is refused: %s", parts[4])
		}
		f.replied = true
		return nil
	case "phx_error":
		if payload.Reason == "resume" {
			r.audience.fenced.Add(1)
			return r.join(f)
		}
		return fmt.Errorf("a channel ends: %s", parts[4])
	case "bennu:resume":
		var ref string
		if err := json.Unmarshal(parts[1], &ref); err != nil {
			return unsound("%s: %w", frame, err)
		}
		return r.takeResume(f, ref, payload.Status, payload.Reason, string(parts[0]) == "null" && (!f.replied || f.resumed))
	}
	return unsound("%s", frame)
}

// takeResume takes a word about what the client has missed. later says that it is not the answer to a
// join.
func (r *resumer) takeResume(f *following, ref, status, reason string, later bool) error {
	at, err := parsePosition(ref)
	if err != nil {
		return unsound("%w", err)
	}
	had := f.ref
	switch {
	case status == "lost" && f.early && !later:
		f.at, f.ref, f.resumed = at, ref, true
		return nil
	case later && status != "lost":
		return unsound("%s: %s has no join_ref", f.topic, status)
	case status == "new" && f.ref == "", status == "lost" && f.ref != "" && (at.epoch != f.at.epoch || f.forked() || f.skip(f.at, at)):
		f.at, f.ref = at, ref
	case status == "recovered" && !f.resumed && ref == f.sent && ref == f.ref, status == "live" && ref == f.ref:
	default:
		return unsound("%s: %s %s with %s, after %s; the join sent %q", f.topic, status, reason, ref, f.ref, f.sent)
	}
	if later {
		f.early = !f.resumed
	} else {
		f.resumed = true
	}
	switch status {
	case "new":
		r.audience.joined.Add(1)
	case "lost":
		f.lost = f.forked()
		r.audience.count(&r.audience.losses, reason)
		f.told = append(f.told, fmt.Sprintf("%v: %s at %s, after %s; the join sent %s", time.Since(r.audience.began).Round(time.Millisecond), reason, ref, had, f.sent))
	case "recovered":
		r.audience.recovered.Add(1)
		if f.forked() && !f.lost {
			r.audience.misled()
		}
	case "live":
		r.audience.replays.Add(1)
	}
	return nil
}

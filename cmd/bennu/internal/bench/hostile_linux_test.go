package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/bennu-go/bennu/internal/testport"
)

// If the server does not speak the protocol, the run ends at the first connection with an error that
// says what is wrong.
func TestFirstConnectionFails(t *testing.T) {
	frames := func(bytes string) func(int, net.Conn) {
		return func(_ int, c net.Conn) {
			if _, err := ws.Upgrade(c); err == nil {
				_, _ = io.WriteString(c, bytes)
				_, _ = io.Copy(io.Discard, c)
			}
		}
	}
	http := func(answer string) func(int, net.Conn) {
		return func(_ int, c net.Conn) { answerHTTP(c, answer) }
	}
	tests := []struct {
		name   string
		handle func(n int, c net.Conn)
		want   string
	}{
		{"closes at once", func(int, net.Conn) {}, "the first connection failed: "}, // the rest depends on timing
		{"forbidden", http("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "the first connection failed: the upgrade failed: the answer is 403 Forbidden"},
		{"busy", http("HTTP/1.1 503 Service Unavailable\r\n\r\n"), "the answer is 503 Service Unavailable"},
		{"wrong accept", http("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"), "does not fit the key"},
		{"no HTTP", func(_ int, c net.Conn) {
			_, _ = io.WriteString(c, "220 mail.example ESMTP\r\n")
			_, _ = io.Copy(io.Discard, c)
		}, "the answer is no HTTP/1.1"},
		{"endless header", func(_ int, c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 101 x\r\n")
			for _, err := io.WriteString(c, "x: y\r\n"); err == nil; _, err = io.WriteString(c, "x: y\r\n") {
			}
		}, "more than 16384 bytes of headers"},
		{"masked frame", frames("\x81\x81maska"), "the server sent a masked frame"},
		{"reserved bits", frames("\xff\x00"), "the server sent a frame with reserved bits"},
		{"huge frame", frames("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), "the server sent a message longer than"},
		{"no message", frames("\x81\x05hello"), "the server sent a message that is not [join_ref"},
		{"binary", frames("\x82\x05hello"), "the server sent a binary message"},
		{"closed", frames("\x88\x02\x03\xf3"), "the server closed the connection with 1011"},
		{"silent upgrade", func(_ int, c net.Conn) { _, _ = io.Copy(io.Discard, c) }, "did not answer the first connection or its join within"},
		{"silent join", frames(""), "did not answer the first connection or its join within"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := serveRaw(t, tt.handle)
			timeout := "30s"
			if strings.HasPrefix(tt.name, "silent") {
				timeout = "1s"
			}
			out, errOut, code := try(context.Background(), url, "--timeout", timeout, "--settle", "0s")
			if code != 1 || out != "" || !strings.Contains(errOut, tt.want) || !strings.HasPrefix(errOut, "bennu bench: ") {
				t.Errorf("exit code %d, stdout %q, stderr %q, want %q", code, out, errOut, tt.want)
			}
		})
	}
	t.Run("refused join", func(t *testing.T) {
		url := serveMessages(t, func(_ int, c net.Conn, m pushed) bool {
			sendText(c, `[%q,%q,%q,"phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`, m.joinRef, m.ref, m.topic)
			return true
		})
		if _, errOut, code := try(context.Background(), url); code != 1 || !strings.Contains(errOut, "a join was refused: unmatched topic") {
			t.Errorf("exit code %d, stderr %q", code, errOut)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		r, code := tryJSON(t, "ws://"+testport.Addr(t))
		if code != 1 || r.Complete || !strings.Contains(r.Error, "connection refused") || r.Connect != nil {
			t.Errorf("exit code %d, %+v", code, r)
		}
	})
}

// honest answers joins, echoes, and broadcasts of a single client.
func honest(c net.Conn, m pushed) bool {
	switch m.event {
	case "broadcast":
		cast(c, m)
		sendText(c, `[%q,%q,%q,"phx_reply",{"response":{},"status":"ok"}]`, m.joinRef, m.ref, m.topic)
	default:
		answer(c, m, "ok")
	}
	return true
}

// one runs a short bench with a single connection.
func one(t *testing.T, url, phase string, more ...string) (Report, int) {
	t.Helper()
	return tryJSON(t, append([]string{url, "--connections", "1", "--phases", phase, "--echo-time", "50ms", "--load-time", "50ms",
		"--broadcasts", "10", "--ahead-broadcasts", "10", "--ahead", "3"}, more...)...)
}

// The honest server passes; the servers below differ from it.
func TestHonestServer(t *testing.T) {
	url := serveMessages(t, func(_ int, c net.Conn, m pushed) bool { return honest(c, m) })
	if r, code := one(t, url, "echo,load,broadcast,ahead,reconnect"); code != 0 || !r.Complete {
		t.Errorf("exit code %d, %+v", code, r)
	}
}

// The bench accepts all that the protocol allows: pings, fragments, and frames that arrive in pieces.
func TestServerIsOdd(t *testing.T) {
	var pongs atomic.Int32
	url := serveRaw(t, func(_ int, c net.Conn) {
		if _, err := ws.Upgrade(c); err != nil {
			return
		}
		for {
			text, err := wsutil.ReadClientMessage(c, nil)
			if err != nil {
				return
			}
			for _, m := range text {
				switch m.OpCode {
				case ws.OpPong:
					if string(m.Payload) == "there?" {
						pongs.Add(1)
					}
				case ws.OpText:
					var m2 pushed
					if json.Unmarshal(m.Payload, &[]any{&m2.joinRef, &m2.ref, &m2.topic, &m2.event, &m2.payload}) != nil {
						return
					}
					reply := fmt.Sprintf(`[%q,%q,%q,"phx_reply",{"status":"ok","response":%s}]`, m2.joinRef, m2.ref, m2.topic, m2.payload)
					half := len(reply) / 2
					frames := serverFrame(0x01, reply[:half]) + serverFrame(0x89, "there?") + serverFrame(0x00, "") + serverFrame(0x80, reply[half:])
					for len(frames) > 0 {
						n := min(7, len(frames))
						if _, err := io.WriteString(c, frames[:n]); err != nil {
							return
						}
						frames = frames[n:]
					}
				}
			}
		}
	})
	r, code := one(t, url, "echo,load")
	if code != 0 || !r.Complete || r.Echo.Answered != 50 || int(pongs.Load()) < 50 {
		t.Errorf("exit code %d, %d pongs, %+v", code, pongs.Load(), r)
	}
}

// Data that the socket does not accept at once is sent later.
func TestServerReadsSlowly(t *testing.T) {
	url := serveRaw(t, func(_ int, c net.Conn) {
		if err := c.(*net.TCPConn).SetReadBuffer(128 << 10); err != nil {
			return
		}
		serveSocket(c, func(m pushed) bool { return honest(c, m) })
	})
	r, code := one(t, url, "load", "--payload", "1000000", "--load-outstanding", "3")
	if code != 0 || !r.Complete || r.Load.Answered < 3 {
		t.Errorf("exit code %d, %+v, %+v", code, r, r.Faults)
	}
}

// Messages that the server loses, changes or cuts are counted, and the run is not complete.
func TestServerMisbehaves(t *testing.T) {
	every := func(n int, do func(c net.Conn, m pushed) bool, event string) func(*atomic.Int32, net.Conn, pushed) bool {
		return func(seen *atomic.Int32, c net.Conn, m pushed) bool {
			if m.event == event && int(seen.Add(1))%n == 0 {
				return do(c, m)
			}
			return honest(c, m)
		}
	}
	none := func(net.Conn, pushed) bool { return true }
	tests := []struct {
		name, phase string
		handle      func(seen *atomic.Int32, c net.Conn, m pushed) bool
		check       func(r *Report) bool
	}{
		{"forgets an echo", "echo", every(10, none, "echo"), func(r *Report) bool {
			return r.Echo.Lost == 5 && r.Echo.Sent == 50 && r.Echo.Answered == 45 && r.Faults.Stalled[0] == "echo"
		}},
		{"forgets one of a load", "load", every(3, none, "echo"), func(r *Report) bool { return r.Load.Lost > 0 && !r.Load.Complete && r.Faults.Stalled[0] == "load" }},
		{"answers with an error", "echo", every(10, func(c net.Conn, m pushed) bool {
			m.payload = []byte(`{"reason":"too fast"}`)
			answer(c, m, "error")
			return true
		}, "echo"), func(r *Report) bool {
			return r.Echo.Errors == 5 && r.Faults.Errors["too fast"] == 5 && r.Echo.Answered == 45
		}},
		{"answers something else", "echo", every(10, func(c net.Conn, m pushed) bool {
			m.payload = []byte(`{"text":"hello"}`)
			answer(c, m, "ok")
			return true
		}, "echo"), func(r *Report) bool { return r.Echo.Errors == 5 && r.Faults.Errors["an echo of something else"] == 5 }},
		{"answers twice", "echo", every(10, func(c net.Conn, m pushed) bool {
			answer(c, m, "ok")
			answer(c, m, "ok")
			return true
		}, "echo"), func(r *Report) bool {
			return r.Echo.Answered == 50 && r.Faults.Malformed["a second reply to one echo"] == 5
		}},
		{"answers what nobody asked", "echo", every(10, func(c net.Conn, m pushed) bool {
			m.ref = "abc"
			answer(c, m, "ok")
			return true
		}, "echo"), func(r *Report) bool {
			return r.Faults.Malformed["a reply with a ref that was not sent"] == 1 && r.Error != ""
		}},
		{"closes", "echo", every(10, func(c net.Conn, m pushed) bool {
			_ = wsutil.WriteServerMessage(c, ws.OpClose, ws.NewCloseFrameBody(1013, ""))
			_, _ = io.Copy(io.Discard, c) // unread data would reset the connection
			return false
		}, "echo"), func(r *Report) bool {
			return r.Faults.Closed["1013"] == 1 && r.Echo.Lost > 0 && r.Error == errNobody.Error()
		}},
		{"cuts", "load", every(3, func(net.Conn, pushed) bool { return false }, "echo"), func(r *Report) bool {
			return r.Faults.Closed["end"]+r.Faults.Closed["reset"] == 1 && r.Load.Lost > 0
		}},
		{"crashes a channel", "broadcast", every(5, func(c net.Conn, m pushed) bool {
			sendText(c, `[%q,%q,%q,"phx_error",{}]`, m.joinRef, m.joinRef, m.topic)
			return true
		}, "broadcast"), func(r *Report) bool {
			return r.Faults.Channels == 1 && !r.Broadcast.Complete && r.Error == errPublisher.Error()
		}},
		{"loses a broadcast", "ahead", every(5, none, "broadcast"), func(r *Report) bool { return r.Ahead.Missing > 0 && !r.Ahead.Complete }},
		{"delivers twice", "ahead", every(5, func(c net.Conn, m pushed) bool { cast(c, m); return honest(c, m) }, "broadcast"),
			func(r *Report) bool {
				return r.Ahead.Missing == 0 && r.Ahead.Delivered == 10 && r.Ahead.Disordered > 0 && !r.Ahead.Complete
			}},
		{"refuses to broadcast", "broadcast", every(5, func(c net.Conn, m pushed) bool {
			m.payload = []byte(`{"reason":"no"}`)
			answer(c, m, "error")
			return true
		}, "broadcast"), func(r *Report) bool {
			return r.Broadcast.Errors == 2 && r.Broadcast.Missing == 2 && r.Broadcast.Delivered == 8 && r.Faults.Errors["no"] == 2
		}},
		{"refuses the second join", "broadcast", func(_ *atomic.Int32, c net.Conn, m pushed) bool {
			if m.topic == "bench:all" && m.event == "phx_join" {
				answer(c, m, "error")
				return true
			}
			return honest(c, m)
		}, func(r *Report) bool {
			return !r.Subscribe.Complete && r.Error == errPublisher.Error() && r.Broadcast.Delivered == 0
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var seen atomic.Int32
			url := serveMessages(t, func(_ int, c net.Conn, m pushed) bool { return tt.handle(&seen, c, m) })
			// Some phases wait for messages that never come.
			timeout := "30s"
			if strings.HasPrefix(tt.name, "forgets") || strings.HasPrefix(tt.name, "loses") {
				timeout = "5s"
			}
			r, code := one(t, url, tt.phase, "--timeout", timeout)
			if code != 1 || r.Complete || !tt.check(&r) {
				t.Errorf("exit code %d, %+v\necho %+v\nload %+v\nbroadcast %+v\nahead %+v\nfaults %+v", code, r, r.Echo, r.Load, r.Broadcast, r.Ahead, r.Faults)
			}
		})
	}
}

// A broadcast that arrives before an earlier one is counted, even if all arrive.
func TestServerReorders(t *testing.T) {
	var held atomic.Pointer[pushed]
	var seen atomic.Int32
	url := serveMessages(t, func(_ int, c net.Conn, m pushed) bool {
		if m.event != "broadcast" || seen.Add(1) > 8 {
			return honest(c, m)
		}
		if earlier := held.Swap(nil); earlier != nil {
			return honest(c, m) && honest(c, *earlier)
		}
		held.Store(&m)
		return true
	})
	r, code := one(t, url, "ahead", "--ahead", "2")
	if code != 1 || r.Ahead.Disordered != 4 || r.Ahead.Complete {
		t.Errorf("exit code %d, %+v", code, r.Ahead)
	}
}

// Connections that never open do not delay the others.
func TestSomeAreGivenUp(t *testing.T) {
	url := serveRaw(t, func(n int, c net.Conn) {
		if n > 0 && n%5 == 0 {
			answerHTTP(c, "HTTP/1.1 403 Forbidden\r\n\r\n")
			return
		}
		if _, err := ws.Upgrade(c); err != nil {
			return
		}
		for {
			text, _, err := wsutil.ReadClientData(c)
			if err != nil {
				return
			}
			topic := fmt.Sprintf("%q", strings.Split(string(text), `"`)[5])
			sendText(c, `["j0","j0",%s,"phx_reply",{"status":"ok","response":{}}]`, topic)
		}
	})
	r, code := tryJSON(t, url, "--connections", "20", "--phases", "connect", "--app", "demo")
	if code != 1 || r.Complete || r.Connect.Complete || r.Connect.Connected != 16 || r.Faults.GivenUp != 4 || r.Faults.Refused["the answer is 403 Forbidden"] != 4 {
		t.Errorf("exit code %d, %+v, %+v, %+v", code, r, r.Connect, r.Faults)
	}
}

func TestTooManyConnections(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max > 1<<20-100 {
		t.Skip("this process may open more files than there can be connections")
	}
	_, errOut, code := try(context.Background(), "ws://127.0.0.1:1/s", "--connections", strconv.FormatUint(limit.Max-10, 10))
	if want := fmt.Sprintf("use at most --connections %d", limit.Max-reserve); code != 1 || !strings.Contains(errOut, want) {
		t.Errorf("exit code %d, stderr %q, want %q", code, errOut, want)
	}
}

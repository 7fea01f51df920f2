package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/wire"
)

// resuming is a channel of topic a that resumes, and what its callbacks got, in order.
type resuming struct {
	t    *testing.T
	ch   *client.Channel
	c    *peerConn
	peer *peer
	got  []string
}

// resumes makes a channel that resumes. Its first join was answered.
func resumes(t *testing.T, opts *client.Options, params any, prepare func(*resuming)) *resuming {
	t.Helper()
	if opts == nil {
		opts = &client.Options{}
	}
	if opts.RejoinAfter == nil {
		opts.RejoinAfter = tableOf(1000)
	}
	if opts.HeartbeatInterval == 0 {
		opts.HeartbeatInterval = time.Hour
	}
	p := newPeer(t)
	s, c := p.dial(opts)
	r := &resuming{t: t, ch: s.Channel("a", params), c: c, peer: p}
	r.ch.Resume(func(d client.Resumed) { r.got = append(r.got, fmt.Sprint(d)) })
	r.ch.On("e", func(m client.Message) { r.got = append(r.got, "e "+m.Ref+" "+string(m.Payload.Data)) })
	r.ch.OnError(func(err error) { r.got = append(r.got, "error "+err.Error()) })
	if prepare != nil {
		prepare(r)
	}
	go func() { _, _ = r.ch.Join(t.Context()) }()
	return r
}

// since wants a join with this member since, and answers it with ok.
func (r *resuming) since(want string) wire.Message {
	r.t.Helper()
	m := r.c.expect("a", "phx_join")
	r.sent(m, want)
	r.c.reply(m, "ok", "{}")
	return m
}

// sent wants a member since in the payload of a join.
func (r *resuming) sent(join wire.Message, want string) {
	r.t.Helper()
	var v map[string]json.RawMessage
	if err := json.Unmarshal(join.Payload.Data, &v); err != nil || string(v["since"]) != want {
		r.t.Errorf("the join has %s, want since %s", join.Payload.Data, want)
	}
}

// resume sends bennu:resume with the refs of a join.
func (r *resuming) resume(join wire.Message, at, payload string) {
	r.c.send(fmt.Sprintf(`[%s,%q,"a","bennu:resume",%s]`, join.JoinRef, at, payload))
}

// event broadcasts an event with a position.
func (r *resuming) event(at, payload string) {
	r.c.send(fmt.Sprintf(`[null,%q,"a","e",%s]`, at, payload))
}

// binary broadcasts a binary event, announced with a position.
func (r *resuming) binary(at, payload string) {
	r.c.send(fmt.Sprintf(`[null,null,"a","bennu:offset",{"next":%q}]`, at))
	r.bytes(payload)
}

// bytes broadcasts a binary event.
func (r *resuming) bytes(payload string) {
	_ = r.c.ws.Write(context.Background(), 2, append([]byte("\x02\x01\x01ae"), payload...))
}

// again cuts the connection, and accepts the next one.
func (r *resuming) again() {
	r.t.Helper()
	synctest.Wait()
	r.c.cut()
	r.c = r.peer.accept()
	synctest.Wait()
	r.got = slices.DeleteFunc(r.got, func(s string) bool { return strings.HasPrefix(s, "error ") })
}

// want wants what the callbacks got since the last call.
func (r *resuming) want(got ...string) {
	r.t.Helper()
	synctest.Wait()
	if !slices.Equal(r.got, got) {
		r.t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(r.got, "\n\t"), strings.Join(got, "\n\t"))
	}
	r.got = nil
}

func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resumes(t, nil, object{"name": "ada", "x": []int{1}}, nil)
		m := r.since("null")
		if want := `{"name":"ada","since":null,"x":[1]}`; string(m.Payload.Data) != want {
			t.Errorf("the join has %s, want %s", m.Payload.Data, want)
		}
		r.resume(m, "e7k2m9x4:10", `{"status":"new"}`)
		r.want("{new  0 e7k2m9x4:10}")
		r.again() // before the first message
		m = r.since(`"e7k2m9x4:10"`)
		r.resume(m, "e7k2m9x4:10", `{"status":"recovered"}`)
		r.event("e7k2m9x4:12", "1")
		r.c.push(m, "a", "e", "2") // without a position
		r.event("e7k2m9x4:11", "3")
		r.event("e7k2m9x4:12", "4")
		r.event("e7k2m9x4:20", "5")
		r.want("{recovered  0 e7k2m9x4:10}", "e e7k2m9x4:12 1", "e  2", "e e7k2m9x4:20 5")
		r.again()
		m = r.since(`"e7k2m9x4:20"`)
		r.resume(m, "e7k2m9x4:20", `{"status":"recovered"}`)
		r.event("e7k2m9x4:30", "6")
		r.event("e7k2m9x4:31", "7")
		r.resume(m, "e7k2m9x4:31", `{"status":"live","count":2}`)
		r.event("e7k2m9x4:33", "8")
		r.c.send(`[null,"e7k2m9x4:35","a","bennu:offset",{}]`)
		r.event("e7k2m9x4:34", "9")
		r.want("{recovered  0 e7k2m9x4:20}", "e e7k2m9x4:30 6", "e e7k2m9x4:31 7", "{live  2 e7k2m9x4:31}", "e e7k2m9x4:33 8")
		r.c.push(m, "a", "phx_error", `{"reason":"channel_crash"}`)
		m = r.since(`"e7k2m9x4:35"`)
		r.want("error client: the channel crashed: channel_crash")
		r.resume(m, "f7k2m9x4:3", `{"status":"lost","reason":"epoch"}`)
		r.event("f7k2m9x4:4", "10")
		r.want("{lost epoch 0 f7k2m9x4:3}", "e f7k2m9x4:4 10")
		// On a live channel, in the same epoch.
		r.resume(m, "f7k2m9x4:2", `{"status":"lost","reason":"unknown"}`)
		r.event("f7k2m9x4:3", "11")
		r.want("{lost unknown 0 f7k2m9x4:2}", "e f7k2m9x4:3 11")
		if at := r.ch.Position(); at != "f7k2m9x4:3" {
			t.Errorf("position %q", at)
		}
		r.again()
		r.since(`"f7k2m9x4:3"`)
	})
}

// TestResumeOfUnwantedEvents asks for nothing that no callback wanted.
func TestResumeOfUnwantedEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resumes(t, nil, nil, func(r *resuming) { r.ch.Resume(nil) })
		m := r.since("null")
		r.resume(m, "e7k2m9x4:10", `{"status":"new"}`)
		r.c.send(`[null,"e7k2m9x4:11","a","other",{}]`)
		r.want()
		r.again()
		r.since(`"e7k2m9x4:11"`)
	})
}

// TestFence drops messages of an earlier join that are under way, and joins again at once.
func TestFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resumes(t, nil, nil, nil)
		m := r.since("null")
		r.resume(m, "e7k2m9x4:10", `{"status":"new"}`)
		r.event("e7k2m9x4:11", "1")
		synctest.Wait()
		r.c.push(m, "a", "phx_error", `{"reason":"channel_crash"}`)
		r.event("e7k2m9x4:12", "2") // down
		m = r.c.expect("a", "phx_join")
		r.sent(m, `"e7k2m9x4:11"`)
		r.event("e7k2m9x4:13", "3") // joining
		r.c.send(`[null,"e7k2m9x4:14","a","bennu:offset",{}]`)
		r.binary("e7k2m9x4:15", "4")
		r.c.send(`[null,null,"a","e",5]`) // without a position, as ever
		synctest.Wait()
		before := time.Now()
		r.c.push(m, "a", "phx_error", `{"reason":"resume"}`)
		m = r.c.expect("a", "phx_join")
		r.sent(m, `"e7k2m9x4:11"`)
		if d := time.Since(before); d != 0 {
			t.Errorf("joined again after %v", d)
		}
		r.want("{new  0 e7k2m9x4:10}", "e e7k2m9x4:11 1", "error client: the channel crashed: channel_crash", "e  5")
		r.c.push(m, "a", "phx_error", `{"reason":"resume"}`) // twice is an error like others
		m = r.since(`"e7k2m9x4:11"`)
		r.want("error client: the channel crashed: resume")
		r.resume(m, "e7k2m9x4:11", `{"status":"recovered"}`)
		r.event("e7k2m9x4:12", "2")
		r.want("{recovered  0 e7k2m9x4:11}", "e e7k2m9x4:12 2")
		r.c.push(m, "a", "phx_error", `{"reason":"resume"}`) // a crash, when joined
		r.since(`"e7k2m9x4:12"`)
		r.want("error client: the channel crashed: resume")
	})
}

// TestResumeOfBinaryEvents cuts the connection before, between and after an announcement and its message.
func TestResumeOfBinaryEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resumes(t, nil, nil, nil)
		m := r.since("null")
		r.resume(m, "e7k2m9x4:10", `{"status":"new"}`)
		r.binary("e7k2m9x4:11", "1")
		r.bytes("2") // without a position
		r.c.send(`[null,null,"a","bennu:offset",{"next":"e7k2m9x4:12"}]`)
		r.again()
		r.want("{new  0 e7k2m9x4:10}", "e e7k2m9x4:11 1", "e  2")
		r.bytes("3") // whoever has a topic may broadcast to it before the answer to the join
		m = r.since(`"e7k2m9x4:11"`)
		r.resume(m, "e7k2m9x4:11", `{"status":"recovered"}`)
		r.binary("e7k2m9x4:11", "1")
		r.binary("e7k2m9x4:12", "4")
		r.event("e7k2m9x4:13", "5")
		r.want("e  3", "{recovered  0 e7k2m9x4:11}", "e e7k2m9x4:12 4", "e e7k2m9x4:13 5")
		// The channel is down for the announcement, and joining for the message.
		r.c.push(m, "a", "phx_error", `{}`)
		r.c.send(`[null,null,"a","bennu:offset",{"next":"e7k2m9x4:14"}]`)
		m = r.c.expect("a", "phx_join")
		r.bytes("6")
		r.c.reply(m, "ok", "{}")
		r.resume(m, "e7k2m9x4:13", `{"status":"recovered"}`)
		r.binary("e7k2m9x4:14", "6")
		r.want("error client: the channel crashed", "{recovered  0 e7k2m9x4:13}", "e e7k2m9x4:14 6")
		// Over long polling, a server drops the message and not the announcement.
		r.c.send(`[null,null,"a","bennu:offset",{"next":"e7k2m9x4:15"}]`)
		r.event("e7k2m9x4:16", "7")
		r.bytes("8")
		r.want("e e7k2m9x4:16 7", "e  8")
	})
}

// TestResumeOfASlowChannel loses nothing: what was dropped comes again.
func TestResumeOfASlowChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var first bool
		r := resumes(t, &client.Options{MaxQueued: 10}, nil, func(r *resuming) {
			r.ch.On("e", func(client.Message) {
				if !first {
					<-release
				}
				first = true
			})
		})
		m := r.since("null")
		r.resume(m, "e7k2m9x4:0", `{"status":"new"}`)
		synctest.Wait()
		for i := range 20 {
			r.event(fmt.Sprintf("e7k2m9x4:%d", i+1), "{}")
		}
		r.c.expect("a", "phx_leave")
		close(release)
		m = r.since(`"e7k2m9x4:11"`)
		r.resume(m, "e7k2m9x4:11", `{"status":"recovered"}`)
		for i := range 9 {
			r.event(fmt.Sprintf("e7k2m9x4:%d", i+12), "{}")
		}
		synctest.Wait()
		n := 0
		for _, got := range r.got {
			if strings.HasPrefix(got, "e ") {
				if n++; got != fmt.Sprintf("e e7k2m9x4:%d {}", n) {
					t.Errorf("message %d is %s", n, got)
				}
			}
		}
		if n != 20 {
			t.Errorf("%d messages came, want 20", n)
		}
	})
}

// TestResumeParams has params of all kinds.
func TestResumeParams(t *testing.T) {
	for name, params := range map[string]any{"list": []int{1}, "bytes": []byte("x"), "text": "x", "null": json.RawMessage("null")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				s, c := p.dial(&client.Options{RejoinAfter: tableOf(1000)})
				ch := s.Channel("a", params)
				ch.Resume(nil)
				if _, err := ch.Join(t.Context()); err == nil || !strings.Contains(err.Error(), "must be a JSON object") {
					t.Errorf("Join: %v", err)
				}
				tries := 0
				f := s.Channel("b", func(context.Context) (any, error) {
					if tries++; tries == 1 {
						return params, nil
					}
					return object{"try": tries}, nil
				})
				f.Resume(nil)
				if _, err := f.Join(t.Context()); err == nil || !strings.Contains(err.Error(), "must be a JSON object") {
					t.Errorf("Join with a function: %v", err)
				}
				if m := c.acceptJoin("b"); string(m.Payload.Data) != `{"since":null,"try":2}` {
					t.Errorf("the next join has %s", m.Payload.Data)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := resumes(t, nil, object{"since": "e7k2m9x4:7", "a": "<>"}, nil)
		r.since(`"e7k2m9x4:7"`)
		r.again()
		m := r.since(`"e7k2m9x4:7"`) // the server has not told another
		r.resume(m, "e7k2m9x4:9", `{"status":"lost","reason":"expired"}`)
		r.want("{lost expired 0 e7k2m9x4:9}")
		r.again()
		if m = r.since(`"e7k2m9x4:9"`); string(m.Payload.Data) != `{"a":"<>","since":"e7k2m9x4:9"}` {
			t.Errorf("the join has %s", m.Payload.Data)
		}
	})
}

// TestResumeV1 has the frames of version 1, in which nothing has a join_ref.
func TestResumeV1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s := wsV1.connect(t, peerURL, p.options(&client.Options{RejoinAfter: tableOf(1000), HeartbeatInterval: time.Hour}))
		r := &resuming{t: t, ch: s.Channel("a", nil), c: p.accept(), peer: p}
		r.ch.Resume(func(d client.Resumed) { r.got = append(r.got, fmt.Sprint(d)) })
		r.ch.On("e", func(m client.Message) { r.got = append(r.got, "e "+m.Ref) })
		go func() { _, _ = r.ch.Join(t.Context()) }()
		join := func(want string) {
			t.Helper()
			_, data, err := r.c.ws.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m, err := wire.V1(nil).Decode(wire.Text, data)
			if err != nil {
				t.Fatal(err)
			}
			r.sent(m, want)
			r.c.send(`{"topic":"a","event":"e","payload":{},"ref":"e7k2m9x4:99"}`) // of an earlier join
			_, data, _ = wire.V1(nil).AppendReply(nil, &wire.Reply{Ref: m.Ref, Topic: "a", Status: "ok"})
			r.c.send(string(data))
		}
		join("null")
		r.c.send(`{"topic":"a","event":"bennu:resume","payload":{"status":"new"},"ref":"e7k2m9x4:1"}`)
		r.c.send(`{"topic":"a","event":"e","payload":{},"ref":"e7k2m9x4:3"}`)
		r.want("{new  0 e7k2m9x4:1}", "e e7k2m9x4:3")
		r.again()
		join(`"e7k2m9x4:3"`)
	})
}

// TestOddResumes has what no bennu sends.
func TestOddResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resumes(t, nil, nil, nil)
		m := r.since("null")
		for _, payload := range []string{`{}`, `[]`, `7`, `{"status":null}`, `{"status":{}}`, `{"status":""}`} {
			r.resume(m, "e7k2m9x4:1", payload)
			r.c.send(`[null,null,"a","bennu:offset",` + payload + `]`)
		}
		r.want()
		r.resume(m, "e7k2m9x4:1", `{"status":"other","reason":7,"count":-1}`)
		r.resume(m, "", `{"status":"live","count":1e300}`)
		r.resume(m, "7", `{"status":"live","count":"x"}`)
		r.c.send(`[null,null,"a","bennu:resume",{"status":"lost"}]`)
		r.want("{other  0 e7k2m9x4:1}", "{live  9007199254740992 }", "{live  0 }", "{lost  0 }")
		// Positions of another form are not compared.
		r.event("9:x:y", "1")
		r.event("9:x:y", "2")
		r.event("9:x:a", "3")
		r.event("e7k2m9x4:99999999999999999999", "4")
		r.want("e 9:x:y 1", "e 9:x:a 3", "e e7k2m9x4:99999999999999999999 4")
		_ = r.c.ws.Write(t.Context(), 2, []byte("\x02\x01\x0cabennu:offset{}"))
		r.again()
		r.since(`"e7k2m9x4:99999999999999999999"`)
	})
}

// TestNoResume changes nothing for other channels.
func TestNoResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		ch, c, p := joined(t, &client.Options{RejoinAfter: tableOf(1000)}, func(ch *client.Channel) {
			for _, event := range []string{"e", "bennu:resume", "bennu:offset"} {
				ch.On(event, func(m client.Message) { got = append(got, m.Event+" "+m.Ref) })
			}
		})
		for _, at := range []string{"e7k2m9x4:2", "e7k2m9x4:1", "e7k2m9x4:1"} {
			c.send(fmt.Sprintf(`[null,%q,"a","e",{}]`, at))
		}
		c.send(`[null,"e7k2m9x4:3","a","bennu:offset",{}]`)
		c.send(fmt.Sprintf(`[%s,"e7k2m9x4:3","a","bennu:resume",{"status":"live"}]`, c.join(ch).JoinRef))
		synctest.Wait()
		if want := []string{"e e7k2m9x4:2", "e e7k2m9x4:1", "e e7k2m9x4:1", "bennu:offset e7k2m9x4:3", "bennu:resume e7k2m9x4:3"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		defer func() {
			if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "before Join") {
				t.Errorf("Resume after Join: %v", p)
			}
		}()
		if at := ch.Position(); at != "" {
			t.Errorf("position %q", at)
		}
		c.cut()
		if m := p.accept().acceptJoin("a"); len(m.Payload.Data) > 2 {
			t.Errorf("the join has %s", m.Payload.Data)
		}
		ch.Resume(nil)
	})
}

package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
)

// stage is a channel that ends in every way there is.
type stage struct{ *bennu.Channel }

type stageJoin struct {
	Mode string `json:"mode"`
}

type greeting struct{}

func joinStage(_ context.Context, ch *bennu.Channel, in stageJoin) (*stage, bennu.Reply, error) {
	s := &stage{ch}
	switch in.Mode {
	case "refuse":
		return nil, bennu.Reply{}, bennu.Errorf("no")
	case "refuse with":
		return nil, bennu.Reply{}, &bennu.Error{Response: []int{1, 2}}
	case "fail":
		return nil, bennu.Reply{}, errors.New("a secret of the server")
	case "panic":
		panic("as asked")
	case "goexit":
		runtime.Goexit()
	case "disconnect":
		return nil, bennu.Reply{}, fmt.Errorf("out: %w", bennu.Disconnect{Code: 4001})
	case "reply":
		return s, bennu.Reply{Response: map[string]int{"n": 1}}, nil
	case "greet":
		return s, bennu.Reply{}, ch.Send(greeting{})
	case "leave":
		ch.Leave()
	case "early":
		if err := ch.Push("x", nil); !errors.Is(err, bennu.ErrNotJoined) {
			return nil, bennu.Reply{}, bennu.Errorf("Push in join: %v", err)
		}
		if err := ch.Broadcast("x", nil); !errors.Is(err, bennu.ErrNotJoined) {
			return nil, bennu.Reply{}, bennu.Errorf("Broadcast in join: %v", err)
		}
	}
	return s, bennu.Reply{}, nil
}

// Terminate pushes what nobody must see.
func (s *stage) Terminate(error) { _ = s.Push("too late", nil) }

func stages() *bennu.Definition[*stage] {
	d := bennu.Define(joinStage)
	bennu.OnInfo(d, func(s *stage, _ context.Context, _ greeting) error { return s.Push("hello", nil) })
	bennu.Intercept(d, "caught", func(s *stage, _ context.Context, p bennu.Raw) error { return s.Push("caught", p) })
	on := func(event string, f func(s *stage) (bennu.Reply, error)) {
		bennu.On(d, event, func(s *stage, _ context.Context, _ bennu.Empty) (bennu.Reply, error) { return f(s) })
	}
	ok := bennu.Reply{Status: "ok"}
	on("echo", func(*stage) (bennu.Reply, error) { return ok, nil })
	on("order", func(s *stage) (bennu.Reply, error) {
		return ok, errors.Join(s.Push("1", nil), s.Broadcast("2", nil), s.Broadcast("caught", nil), s.BroadcastFrom("never", nil), s.Push("3", nil))
	})
	on("stop", func(*stage) (bennu.Reply, error) { return bennu.Reply{}, bennu.Stop })
	on("stop reply", func(*stage) (bennu.Reply, error) { return ok, fmt.Errorf("over: %w", bennu.Stop) })
	on("crash", func(s *stage) (bennu.Reply, error) {
		return bennu.Reply{}, errors.Join(s.Push("before", nil), bennu.Crash)
	})
	on("crash reply", func(*stage) (bennu.Reply, error) { return ok, fmt.Errorf("worse: %w", bennu.Crash) })
	on("panic", func(*stage) (bennu.Reply, error) { panic("as asked") })
	on("goexit", func(*stage) (bennu.Reply, error) { runtime.Goexit(); return ok, nil })
	on("bad reply", func(*stage) (bennu.Reply, error) { return bennu.Reply{Status: "ok", Response: make(chan int)}, nil })
	on("leave", func(s *stage) (bennu.Reply, error) { s.Leave(); return ok, nil })
	on("disconnect", func(*stage) (bennu.Reply, error) { return ok, bennu.Disconnect{} })
	on("reserved", func(s *stage) (bennu.Reply, error) { return bennu.Reply{}, s.Broadcast("phx_close", nil) })
	return d
}

// TestSequences plays scripts: lines with > are sent, those with < must come, and
// after the last nothing else.
func TestSequences(t *testing.T) {
	s := serve(t, one("a*", stages()), nil, nil)
	const join, joined = `> ["1","1","a","phx_join",{}]`, `< ["1","1","a","phx_reply",{"status":"ok","response":{}}]`
	const closed, crashed = `< ["1","1","a","phx_close",{}]`, `< ["1","1","a","phx_error",{"reason":"channel_crash"}]`
	const gone = `["1","9","a","echo",{}]`
	const unmatched = `< [null,"9","a","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`
	ok := func(joinRef, ref string) string {
		return "< " + wstest.OK(`"`+joinRef+`"`, `"`+ref+`"`, "a")
	}
	push := func(event string) string { return `> ["1","2","a","` + event + `",{}]` }
	joinAs := func(mode string) string { return `> ["1","1","a","phx_join",{"mode":"` + mode + `"}]` }
	refusal := func(response string) string {
		return `< ["1","1","a","phx_reply",{"status":"error","response":` + response + `}]`
	}
	for _, tc := range []struct {
		name  string
		lines []string
	}{
		{"a: join", []string{join, joined}},
		{"a: join with reply", []string{joinAs("reply"), `< ["1","1","a","phx_reply",{"status":"ok","response":{"n":1}}]`}},
		{"a: push after join", []string{joinAs("greet"), joined, `< ["1",null,"a","hello",{}]`}},
		{"a: push in join", []string{joinAs("early"), joined}},
		{"a: leave in join", []string{joinAs("leave"), joined, closed, "> " + gone, unmatched}},
		{"b: refused", []string{joinAs("refuse"), refusal(`{"reason":"no"}`), "> " + gone, unmatched}},
		{"b: refused with a response", []string{joinAs("refuse with"), refusal(`[1,2]`)}},
		{"b: refused for reasons not told", []string{joinAs("fail"), refusal(`{"reason":"internal"}`)}},
		{"b: refused and thrown out", []string{joinAs("disconnect"), "< close 4001"}},
		{"b: no such topic", []string{`> ["1","1","b","phx_join",{}]`, `< [null,"1","b","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`}},
		{"c: panic", []string{joinAs("panic"), refusal(`{"reason":"join crashed"}`), "> " + gone, unmatched}},
		{"c: goexit", []string{joinAs("goexit"), refusal(`{"reason":"join crashed"}`), join, joined}},
		{"d: duplicate", []string{join, joined, `> ["2","2","a","phx_join",{"mode":"greet"}]`,
			ok("2", "2"), closed, `< ["2",null,"a","hello",{}]`, `> ["2","3","a","order",{}]`,
			`< ["2",null,"a","1",{}]`, `< [null,null,"a","2",{}]`, `< ["2",null,"a","3",{}]`, ok("2", "3"), `< ["2",null,"a","caught",{}]`}},
		{"d: duplicate refused", []string{join, joined, `> ["2","2","a","phx_join",{"mode":"refuse"}]`,
			`< ["2","2","a","phx_reply",{"status":"error","response":{"reason":"no"}}]`, closed, "> " + gone, unmatched}},
		{"d: duplicate crashes", []string{join, joined, `> ["2","2","a","phx_join",{"mode":"panic"}]`,
			`< ["2","2","a","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]`, closed, "> " + gone, unmatched}},
		{"d: duplicate with the same refs", []string{join, joined, join, joined, closed, push("echo"), ok("1", "2")}},
		{"e: leave", []string{join, joined, push("phx_leave"), ok("1", "2"), closed, "> " + gone, unmatched}},
		{"e: leave twice", []string{join, joined, push("phx_leave"), ok("1", "2"), closed, push("phx_leave"), ok("1", "2")}},
		{"e: leave without join", []string{push("phx_leave"), ok("1", "2")}},
		{"g: stop", []string{join, joined, push("stop"), closed, "> " + gone, unmatched}},
		{"g: stop with reply", []string{join, joined, push("stop reply"), ok("1", "2"), closed}},
		{"g: left by the server", []string{join, joined, push("leave"), ok("1", "2"), closed}},
		{"g: crash", []string{join, joined, push("crash"), `< ["1",null,"a","before",{}]`, crashed, "> " + gone, unmatched}},
		{"g: crash with reply", []string{join, joined, push("crash reply"), ok("1", "2"), crashed}},
		{"h: panic", []string{join, joined, push("panic"), crashed, "> " + gone, unmatched}},
		{"h: goexit", []string{join, joined, push("goexit"), crashed, join, joined}},
		{"h: unknown event", []string{join, joined, push("what"), crashed}},
		{"h: event that is no string", []string{join, joined, `> ["1","2","a",7,{}]`, crashed}},
		{"h: reply that does not encode", []string{join, joined, push("bad reply"), crashed}},
		{"i: not JSON", []string{join, joined, `> no`, "< close 1011"}},
		{"j: disconnect", []string{join, joined, push("disconnect"), "< close 1001"}},
		{"k: reserved event", []string{join, joined, push("reserved"), "< " + wstest.Refused(`"1"`, `"2"`, "a", "internal"), push("echo"), ok("1", "2")}},
		{"stale: other join_ref", []string{join, joined, `> ["0","2","a","echo",{}]`, `> [1,"2","a","echo",{}]`, `> ["","2","a","phx_leave",{}]`, push("echo"), ok("1", "2")}},
		{"stale: null is current", []string{join, joined, `> [null,"2","a","echo",{}]`, ok("1", "2"), `> [null,null,"a","echo",{}]`, `< ["1",null,"a","phx_reply",{"status":"ok","response":{}}]`}},
		{"null join_ref: two names", []string{`> [null,"5","a","phx_join",{"mode":"greet"}]`, `< [null,"5","a","phx_reply",{"status":"ok","response":{}}]`, `< ["5",null,"a","hello",{}]`,
			`> [null,"6","a","echo",{}]`, ok("5", "6"), `> ["5","7","a","echo",{}]`, `> [null,"8","a","stop",{}]`, `< [null,null,"a","phx_close",{}]`}},
		{"null join_ref: leave", []string{`> [null,"5","a","phx_join",{}]`, `< [null,"5","a","phx_reply",{"status":"ok","response":{}}]`,
			`> [null,"6","a","phx_leave",{}]`, ok("5", "6"), `< [null,null,"a","phx_close",{}]`}},
		{"heartbeat with a join_ref", []string{`> ["1","2","phoenix","heartbeat",{}]`, `< [null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]`}},
	} {
		t.Run(tc.name, func(t *testing.T) { play(t, wstest.Dial(t, s.url), tc.lines) })
	}
}

// play sends and wants the lines of a script.
func play(t *testing.T, c *wstest.Client, lines []string) {
	t.Helper()
	for _, line := range lines {
		direction, text := line[0], line[2:]
		code := 0
		switch {
		case direction == '>':
			c.Send(wstest.Text(text))
		case strings.HasPrefix(text, "close "):
			fmt.Sscan(text[len("close "):], &code)
			c.ExpectClose(code)
			return
		default:
			c.Expect(text)
		}
	}
	c.Fence()
}

// TestSequencesV1 has the forms of version 1, which never show a join_ref.
func TestSequencesV1(t *testing.T) {
	s := serve(t, one("a*", stages()), nil, nil)
	c := wstest.Dial(t, strings.TrimSuffix(s.url, "?vsn=2.0.0"))
	expect := func(wants ...string) {
		t.Helper()
		for _, want := range wants {
			c.ExpectFrame(wstest.Text(want))
		}
	}
	send := func(text string) { t.Helper(); c.Send(wstest.Text(text)) }
	reply := func(ref string) string {
		return `{"topic":"a","event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":` + ref + `}`
	}
	send(`{"topic":"a","event":"phx_join","payload":{"mode":"greet"},"ref":"1"}`)
	expect(reply(`"1"`), `{"topic":"a","event":"hello","payload":{},"ref":null}`)
	send(`{"topic":"a","event":"order","payload":{},"ref":"2"}`)
	expect(`{"topic":"a","event":"1","payload":{},"ref":null}`, `{"topic":"a","event":"2","payload":{},"ref":null}`,
		`{"topic":"a","event":"3","payload":{},"ref":null}`, reply(`"2"`), `{"topic":"a","event":"caught","payload":{},"ref":null}`)
	// A duplicate join shows a close that cannot be told apart.
	send(`{"topic":"a","event":"phx_join","payload":{},"ref":"3"}`)
	expect(reply(`"3"`), `{"topic":"a","event":"phx_close","payload":{},"ref":null}`)
	send(`{"topic":"a","event":"phx_leave","payload":{},"ref":"4"}`)
	expect(reply(`"4"`), `{"topic":"a","event":"phx_close","payload":{},"ref":null}`)
	// One that sends a join_ref gets it back as ref.
	send(`{"topic":"a","event":"phx_join","payload":{},"ref":"5","join_ref":"5"}`)
	send(`{"topic":"a","event":"panic","payload":{},"ref":"6","join_ref":"5"}`)
	expect(reply(`"5"`), `{"topic":"a","event":"phx_error","payload":{"reason":"channel_crash"},"ref":"5"}`)
}

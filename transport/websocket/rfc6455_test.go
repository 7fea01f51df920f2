package websocket_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

// rfcCase is one thing a client does, and everything the server sends to it
// until it closes. Where nothing is said of a close, the client closes at the end.
type rfcCase struct {
	name string
	in   []byte
	chop int // bytes of each write; 0 is all at once
	out  []want
}

type rfcGroup struct {
	name  string
	cases []rfcCase
}

// TestRFC6455 drives an echo server over TCP.
func TestRFC6455(t *testing.T) {
	groups := []rfcGroup{
		{"framing", framingCases()},
		{"control", controlCases()},
		{"reserved", reservedCases()},
		{"fragments", fragmentCases()},
		{"utf8", utf8Cases()},
		{"close", closeCases()},
		{"limits", limitCases()},
	}
	// The default queue has no room for the echo of the longest message.
	opts := &websocket.Options{MaxQueueBytes: 4 << 20}
	engines(t, func(t *testing.T, newServer serverMaker) {
		addr := listen(t, newServer(t), acceptFunc(acceptEcho), opts)
		testRFC6455(t, groups, func(t *testing.T) *client { return upgrade(t, addr) })
	})
	t.Run("waiting", func(t *testing.T) { // the way of TLS and other systems
		s := newServer(t)
		testRFC6455(t, groups, func(t *testing.T) *client {
			sc, pc := tcpPair(t)
			if _, err := s.NewConn(halfCloser{sc}, newReceiver(echo), opts); err != nil {
				t.Fatal(err)
			}
			return newClient(t, pc)
		})
	})
}

func testRFC6455(t *testing.T, groups []rfcGroup, dial func(*testing.T) *client) {
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, tc := range g.cases {
				t.Run(tc.name, func(t *testing.T) { runRFC(t, dial(t), tc) })
			}
		})
	}
}

func runRFC(t *testing.T, c *client, tc rfcCase) {
	in, out := tc.in, tc.out
	if len(out) == 0 || out[len(out)-1].op != 8 {
		in = append(bytes.Clone(in), closing(1000).bytes()...)
		out = append(out[:len(out):len(out)], wantClose(1000))
	}
	if len(in) > 64<<10 { // more than the sockets may hold while nobody reads
		done := make(chan struct{})
		go func() { defer close(done); c.chopped(in, tc.chop) }()
		defer func() { c.nc.Close(); <-done }()
	} else {
		c.chopped(in, tc.chop)
	}
	c.expect(out...)
}

func framingCases() (cases []rfcCase) {
	for _, n := range []int{0, 1, 2, 3, 16, 125, 126, 127, 128, 1000, 16383, 65535, 65536, 65537, 1 << 20} {
		for _, chop := range []int{0, 1, 7, 4099} {
			if chop > 0 && n/chop > 2000 {
				continue
			}
			s := strings.Repeat("né", n/3+1)[:n]
			if !utf8.ValidString(s) {
				s = strings.Repeat("*", n)
			}
			p := make([]byte, n)
			for i := range p {
				p[i] = byte(i * 7)
			}
			cases = append(cases,
				rfcCase{fmt.Sprintf("text/%d/by%d", n, chop), text(s).bytes(), chop, []want{wantText(s)}},
				rfcCase{fmt.Sprintf("binary/%d/by%d", n, chop), bin(p).bytes(), chop, []want{wantBin(p)}})
		}
	}
	for _, key := range [][4]byte{{0, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff}, {1, 2, 3, 4}, {0x80, 0, 0x80, 0}} {
		f := text(strings.Repeat("mask ", 100))
		f.key = key
		cases = append(cases, rfcCase{fmt.Sprintf("key/%x", key), f.bytes(), 13, []want{wantText(string(f.payload))}})
	}
	var many []byte
	var echoed []want
	for i := range 100 {
		s := fmt.Sprint("message ", i)
		many = append(many, text(s).bytes()...)
		echoed = append(echoed, wantText(s))
	}
	for _, chop := range []int{0, 1, 3, 1000} {
		cases = append(cases, rfcCase{fmt.Sprintf("hundred/by%d", chop), many, chop, echoed})
	}
	for op := range byte(16) {
		cases = append(cases, rfcCase{fmt.Sprintf("unmasked/op%d", op), join(frame{op: op, payload: []byte("xx"), unmasked: true}), 0, []want{wantClose(1002)}})
	}
	// A length must have its shortest form; that is held to.
	for _, w := range []struct {
		wide int
		n    uint64
	}{{2, 1}, {2, 125}, {8, 1}, {8, 125}, {8, 126}, {8, 65535}} {
		f := bin(make([]byte, w.n))
		f.wide = w.wide
		cases = append(cases, rfcCase{fmt.Sprintf("wide%d/%d", w.wide, w.n), f.bytes(), 0, []want{wantClose(1002)}})
	}
	for _, wide := range []int{2, 8} {
		cases = append(cases, rfcCase{fmt.Sprintf("wide%d/0", wide), frame{op: 1, wide: wide}.bytes(), 0, []want{wantClose(1002)}})
	}
	return cases
}

func controlCases() (cases []rfcCase) {
	add := func(name string, in []byte, chop int, out ...want) {
		cases = append(cases, rfcCase{name, in, chop, out})
	}
	for _, n := range []int{0, 1, 2, 5, 63, 124, 125} {
		for _, chop := range []int{0, 1, 5} {
			s := strings.Repeat("p", n)
			add(fmt.Sprintf("ping/%d/by%d", n, chop), join(ping(s)), chop, wantPong(s))
			add(fmt.Sprintf("pong/%d/by%d", n, chop), join(pong(s), text("x")), chop, wantText("x"))
		}
	}
	add("ping/bytes", join(ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")), 0, wantPong("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))
	for _, op := range []byte{8, 9, 10} {
		for _, n := range []int{126, 127, 1000, 65536} {
			add(fmt.Sprintf("long/op%d/%d", op, n), join(frame{op: op, payload: make([]byte, n)}), 0, wantClose(1002))
		}
		add(fmt.Sprintf("fragmented/op%d", op), join(partial(frame{op: op, payload: []byte("\x03\xe8")})), 0, wantClose(1002))
		add(fmt.Sprintf("fragmented-then-continued/op%d", op),
			join(partial(frame{op: op, payload: []byte("\x03\xe8")}), cont("b")), 0, wantClose(1002))
	}
	for _, chop := range []int{0, 1} {
		var in []byte
		var out []want
		for i := range 10 {
			in = append(in, ping(fmt.Sprint(i)).bytes()...)
			out = append(out, wantPong(fmt.Sprint(i)))
		}
		add(fmt.Sprintf("ten/by%d", chop), in, chop, out...)
		add(fmt.Sprintf("between/by%d", chop),
			join(partial(text("a")), ping("1"), partial(cont("b")), pong("-"), ping("2"), cont("c"), ping("3")), chop,
			wantPong("1"), wantPong("2"), wantText("abc"), wantPong("3"))
		add(fmt.Sprintf("between-messages/by%d", chop),
			join(text("a"), ping("1"), text("b"), ping("2")), chop,
			wantText("a"), wantPong("1"), wantText("b"), wantPong("2"))
	}
	var flood []frame
	var answers []want
	for i := range 21 {
		flood = append(flood, ping("f"))
		if i < 20 {
			answers = append(answers, wantPong("f"))
		}
	}
	add("flood", join(flood...), 0, append(answers, wantClose(1008))...)
	for i := range flood {
		flood[i] = pong("f")
	}
	add("pong-flood", join(flood...), 0, wantClose(1008))
	return cases
}

func reservedCases() (cases []rfcCase) {
	add := func(name string, in []byte, out ...want) {
		cases = append(cases, rfcCase{name, in, 0, out})
	}
	for rsv := byte(1); rsv < 8; rsv++ {
		for _, op := range []byte{0, 1, 2, 8, 9, 10} {
			add(fmt.Sprintf("rsv%d/op%d", rsv, op), join(frame{op: op, rsv: rsv, payload: []byte("\x03\xe8")}), wantClose(1002))
		}
		add(fmt.Sprintf("rsv%d/after-text", rsv), join(text("first"), frame{op: 1, rsv: rsv}), wantText("first"), wantClose(1002))
		add(fmt.Sprintf("rsv%d/in-fragments", rsv), join(partial(text("first")), frame{op: 0, rsv: rsv}), wantClose(1002))
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		f := frame{op: op}
		add(fmt.Sprintf("op%d/empty", op), f.bytes(), wantClose(1002))
		f.payload = []byte("hello")
		add(fmt.Sprintf("op%d/payload", op), f.bytes(), wantClose(1002))
		add(fmt.Sprintf("op%d/not-final", op), partial(f).bytes(), wantClose(1002))
		add(fmt.Sprintf("op%d/after-text", op), join(text("a"), f, ping("b")), wantText("a"), wantClose(1002))
		add(fmt.Sprintf("op%d/in-fragments", op), join(partial(text("a")), f, cont("b")), wantClose(1002))
	}
	return cases
}

func fragmentCases() (cases []rfcCase) {
	add := func(name string, in []byte, out ...want) {
		for _, chop := range []int{0, 1} {
			cases = append(cases, rfcCase{fmt.Sprintf("%s/by%d", name, chop), in, chop, out})
		}
	}
	b := func(s string) frame { return bin([]byte(s)) }
	add("two", join(partial(text("a")), cont("b")), wantText("ab"))
	add("three", join(partial(text("a")), partial(cont("b")), cont("c")), wantText("abc"))
	add("binary", join(partial(b("a")), partial(cont("\xff")), cont("c")), wantBin([]byte("a\xffc")))
	add("two-messages", join(partial(text("a")), cont("b"), partial(b("c")), cont("d")), wantText("ab"), wantBin([]byte("cd")))
	add("mixed", join(text("x"), partial(text("a")), cont("b"), b("y")), wantText("x"), wantText("ab"), wantBin([]byte("y")))
	add("empty-first", join(partial(text("")), cont("b")), wantText("b"))
	add("empty-last", join(partial(text("a")), cont("")), wantText("a"))
	add("empty-all", join(partial(text("")), cont("")), wantText(""))
	add("empty-middle", join(partial(text("a")), partial(cont("")), cont("b")), wantClose(1008))
	add("stray-final", join(cont("a")), wantClose(1002))
	add("stray-not-final", join(partial(cont("a"))), wantClose(1002))
	add("stray-empty", join(cont("")), wantClose(1002))
	add("stray-after-text", join(text("a"), cont("b")), wantText("a"), wantClose(1002))
	add("stray-after-fragments", join(partial(text("a")), cont("b"), cont("c")), wantText("ab"), wantClose(1002))
	add("stray-after-ping", join(ping("a"), cont("b")), wantPong("a"), wantClose(1002))
	add("text-in-text", join(partial(text("a")), text("b")), wantClose(1002))
	add("text-in-binary", join(partial(b("a")), text("b")), wantClose(1002))
	add("binary-in-text", join(partial(text("a")), b("b")), wantClose(1002))
	add("start-in-text", join(partial(text("a")), partial(text("b")), cont("c")), wantClose(1002))
	add("text-after-two", join(partial(text("a")), partial(cont("b")), text("c")), wantClose(1002))
	add("close-in-fragments", join(partial(text("a")), closing(1000)), wantClose(1000))
	for _, n := range []int{2, 10, 127, 128, 129, 200} {
		in := partial(text("s")).bytes()
		for range n - 2 {
			in = append(in, partial(cont("c")).bytes()...)
		}
		in = append(in, cont("e").bytes()...)
		out := wantText("s" + strings.Repeat("c", n-2) + "e")
		if n > 128 {
			out = wantClose(1008)
		}
		add(fmt.Sprintf("count%d", n), in, out)
	}
	for _, size := range []int{1, 2, 64, 125, 126, 1000} {
		s := strings.Repeat("0123456789", 200)
		var in []byte
		n := 0
		for rest := s; rest != ""; n++ {
			k := min(size, len(rest))
			f := cont(rest[:k])
			if n == 0 {
				f = text(rest[:k])
			}
			rest = rest[k:]
			f.more = rest != ""
			in = append(in, f.bytes()...)
		}
		out := wantText(s)
		if n > 128 {
			out = wantClose(1008)
		}
		add(fmt.Sprintf("size%d", size), in, out)
	}
	return cases
}

// Sequences for UTF-8, by their names in the cases.
var validUTF8 = []struct{ name, s string }{
	{"word", "κόσμε"}, {"nul", "\x00"}, {"del", "\x7f"}, {"two-min", "\u0080"}, {"two-max", "\u07ff"},
	{"three-min", "\u0800"}, {"three-max", "\uffff"}, {"four-min", "\U00010000"}, {"four-max", "\U0010ffff"},
	{"below-surrogates", "\ud7ff"}, {"above-surrogates", "\ue000"}, {"replacement", "\ufffd"},
	{"noncharacter", "\U0001fffe"}, {"bom", "\ufeff"}, {"mixed", "aé€😀z"}, {"emoji", "👩‍🚀"},
}

var invalidUTF8 = []struct{ name, s string }{
	{"continuation-80", "\x80"}, {"continuation-bf", "\xbf"}, {"continuations", "a\x80\xbf\x80b"},
	{"c0", "\xc0\x80"}, {"c1", "\xc1\xbf"}, {"fe", "\xfe"}, {"ff", "\xff"}, {"fe-fe-ff-ff", "\xfe\xfe\xff\xff"},
	{"two-alone", "\xc3 "}, {"three-cut", "\xe2\x82 "}, {"four-cut", "\xf0\x9f\x98 "},
	{"overlong-slash-2", "\xc0\xaf"}, {"overlong-slash-3", "\xe0\x80\xaf"}, {"overlong-slash-4", "\xf0\x80\x80\xaf"},
	{"overlong-max-3", "\xe0\x9f\xbf"}, {"overlong-max-4", "\xf0\x8f\xbf\xbf"},
	{"overlong-nul-3", "\xe0\x80\x80"}, {"overlong-nul-4", "\xf0\x80\x80\x80"},
	{"surrogate-d800", "\xed\xa0\x80"}, {"surrogate-db7f", "\xed\xad\xbf"}, {"surrogate-dfff", "\xed\xbf\xbf"},
	{"surrogate-pair", "\xed\xa0\x80\xed\xb0\x80"}, {"above-max", "\xf4\x90\x80\x80"}, {"f5", "\xf5\x80\x80\x80"},
	{"five", "\xf8\x88\x80\x80\x80"}, {"six", "\xfc\x84\x80\x80\x80\x80"}, {"five-overlong", "\xf8\x80\x80\x80\xaf"},
	{"latin1", "caf\xe9"}, {"two-cut-at-end", "abc\xc3"}, {"three-cut-at-end", "abc\xe2\x82"}, {"four-cut-at-end", "abc\xf0\x9f\x98"},
	{"word-then-surrogate", "κόσμε\xed\xa0\x80edited"}, {"word-then-above-max", "κόσμε\xf4\x90\x80\x80edited"},
}

func utf8Cases() (cases []rfcCase) {
	add := func(name string, in []byte, chop int, out ...want) {
		cases = append(cases, rfcCase{name, in, chop, out})
	}
	for _, v := range validUTF8 {
		add("valid/"+v.name, join(text(v.s)), 0, wantText(v.s))
		add("valid/"+v.name+"/by1", join(text(v.s)), 1, wantText(v.s))
		for i := 1; i < len(v.s); i++ {
			add(fmt.Sprintf("valid/%s/cut%d", v.name, i), join(partial(text(v.s[:i])), cont(v.s[i:])), 0, wantText(v.s))
		}
		var each []byte
		for i := range len(v.s) {
			f := cont(v.s[i : i+1])
			if i == 0 {
				f.op = 1
			}
			f.more = i < len(v.s)-1
			each = append(each, f.bytes()...)
			each = append(each, pong("").bytes()...)
		}
		if len(v.s) < 16 {
			add("valid/"+v.name+"/bytes", each, 0, wantText(v.s))
		}
	}
	for _, v := range invalidUTF8 {
		add("invalid/"+v.name, join(text(v.s)), 0, wantClose(1007))
		add("invalid/"+v.name+"/by1", join(text(v.s)), 1, wantClose(1007))
		add("invalid/"+v.name+"/after-text", join(text("ok"), text(v.s)), 0, wantText("ok"), wantClose(1007))
		for i := 1; i < len(v.s); i++ {
			add(fmt.Sprintf("invalid/%s/cut%d", v.name, i), join(partial(text(v.s[:i])), cont(v.s[i:])), 0, wantClose(1007))
		}
		add("binary/"+v.name, join(bin([]byte(v.s))), 0, wantBin([]byte(v.s)))
		if !strings.HasSuffix(v.name, "at-end") && v.name != "latin1" {
			// The rest never comes: the fault must be found at the first frame's end.
			add("early/"+v.name, join(partial(text(v.s))), 0, wantClose(1007))
		}
	}
	add("cut-by-ping", join(partial(text("\xe2\x82")), ping("p"), cont("\xac")), 0, wantPong("p"), wantText("€"))
	add("state-is-not-kept", join(partial(text("\xe2\x82")), cont("\xac"), text("€")), 0, wantText("€"), wantText("€"))
	return cases
}

func closeCases() (cases []rfcCase) {
	add := func(name string, in []byte, out ...want) {
		cases = append(cases, rfcCase{name, in, 0, out})
	}
	codes := map[int]bool{2999: true, 3000: true, 3001: true, 3999: true, 4000: true, 4999: true, 65535: true, 32768: true}
	for c := 990; c <= 1020; c++ {
		codes[c] = true
	}
	for c := 0; c <= 5100; c += 50 {
		codes[c] = true
	}
	for c := range 65536 {
		if !codes[c] {
			continue
		}
		out := wantClose(1002)
		if c >= 1000 && c <= 1003 || c >= 1007 && c <= 1011 || c >= 3000 && c <= 4999 {
			out = wantClose(1000)
		}
		add(fmt.Sprintf("code/%d", c), join(closing(uint16(c))), out)
	}
	body := func(b string) frame { return frame{op: 8, payload: []byte(b)} }
	add("empty", join(body("")), wantClose(1000))
	add("one-byte", join(body("\x03")), wantClose(1002))
	add("reason", join(body("\x03\xe8bye")), wantClose(1000))
	add("reason-longest", join(body("\x03\xe8"+strings.Repeat("r", 123))), wantClose(1000))
	add("reason-too-long", join(body("\x03\xe8"+strings.Repeat("r", 124))), wantClose(1002))
	for _, v := range validUTF8 {
		add("reason/"+v.name, join(body("\x03\xe8"+v.s)), wantClose(1000))
	}
	for _, v := range invalidUTF8 {
		add("reason/invalid/"+v.name, join(body("\x03\xe8"+v.s)), wantClose(1007))
	}
	add("then-text", join(closing(1000), text("late")), wantClose(1000))
	add("then-ping", join(closing(1000), ping("late")), wantClose(1000))
	add("then-close", join(closing(1000), closing(1001)), wantClose(1000))
	add("then-garbage", append(join(closing(1000)), "\xff\xff\xff\xff garbage"...), wantClose(1000))
	add("then-much", append(join(closing(1000)), bytes.Repeat(join(text(strings.Repeat("x", 1000))), 60)...), wantClose(1000))
	add("violation-then-much", append(join(cont("a")), bytes.Repeat(join(text(strings.Repeat("x", 1000))), 60)...), wantClose(1002))
	add("violation-then-close", join(cont("a"), closing(1000)), wantClose(1002))
	add("after-text", join(text("a"), text("b"), closing(1001)), wantText("a"), wantText("b"), wantClose(1000))
	add("after-ping", join(ping("a"), closing(4000)), wantPong("a"), wantClose(1000))
	return cases
}

func limitCases() (cases []rfcCase) {
	add := func(name string, in []byte, out ...want) {
		cases = append(cases, rfcCase{name, in, 0, out})
	}
	const limit = 1 << 20
	for _, op := range []byte{1, 2} {
		for name, n := range map[string]uint64{
			"one-more": limit + 1, "2^21": 1 << 21, "2^31": 1 << 31, "2^32": 1 << 32, "2^40": 1 << 40, "2^62": 1 << 62, "2^63-1": 1<<63 - 1,
		} {
			add(fmt.Sprintf("declared/op%d/%s", op, name), join(frame{op: op, declare: n}), wantClose(1009))
			add(fmt.Sprintf("declared-with-start/op%d/%s", op, name), join(frame{op: op, declare: n, payload: make([]byte, 3000)}), wantClose(1009))
		}
		for name, n := range map[string]uint64{"2^63": 1 << 63, "2^64-1": 1<<64 - 1} {
			add(fmt.Sprintf("declared/op%d/%s", op, name), join(frame{op: op, declare: n}), wantClose(1002))
		}
	}
	half := strings.Repeat("h", limit/2)
	add("fragments-at-limit", join(partial(text(half)), cont(half)), wantText(half+half))
	add("fragments-above", join(partial(text(half)), partial(cont(half)), cont("x")), wantClose(1009))
	add("fragments-above-declared", join(partial(text(half)), frame{op: 0, declare: limit/2 + 1}), wantClose(1009))
	add("sent-above", join(bin(make([]byte, limit+1))), wantClose(1009))
	add("twice-at-limit", join(text(half+half), text(half+half)), wantText(half+half), wantText(half+half))
	return cases
}

// TestViolationsAreCounted holds the counters to what the cases above do.
func TestViolationsAreCounted(t *testing.T) { engines(t, testViolationsAreCounted) }

func testViolationsAreCounted(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	for _, tc := range []struct {
		in   []byte
		code transport.CloseCode
	}{
		{join(cont("a")), 1002}, {join(text("\xff")), 1007}, {join(partial(text("a")), partial(cont(""))), 1008}, {join(frame{op: 1, declare: 1 << 30}), 1009},
	} {
		r := newReceiver(echo)
		_, c := serve(t, s, r, nil)
		c.write(tc.in)
		c.expect(wantClose(uint16(tc.code)))
		if err := r.reason(t); !isClosed(err, tc.code) {
			t.Errorf("reason %v, want %d", err, tc.code)
		}
	}
	r := newReceiver(echo)
	_, c := serve(t, s, r, nil)
	c.send(closing(1000))
	c.expect(wantClose(1000))
	if err := r.reason(t); err != transport.ErrClientClosed {
		t.Errorf("reason %v", err)
	}
	r = newReceiver(echo)
	_, c = serve(t, s, r, nil)
	c.nc.Close()
	if err := r.reason(t); err != transport.ErrLost {
		t.Errorf("reason %v", err)
	}
	st := s.Stats()
	st.Open = 0
	if want := (st); want.Opened != 6 || want.ProtocolErrors != 1 || want.InvalidData != 1 || want.PolicyErrors != 1 ||
		want.TooBig != 1 || want.ClientClosed != 1 || want.Lost != 1 || want.ServerClosed+want.SlowConsumers+want.IdleTimeouts != 0 {
		t.Errorf("stats %+v", st)
	}
}

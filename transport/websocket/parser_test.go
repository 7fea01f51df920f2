package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// clientFrame is a masked frame.
func clientFrame(op ws.OpCode, fin bool, payload string) []byte {
	f := ws.MaskFrameWith(ws.NewFrame(op, fin, []byte(payload)), [4]byte{1, 2, 3, 4})
	return ws.MustCompileFrame(f)
}

// declaration is the header of a frame of n bytes, with nothing behind it.
func declaration(op ws.OpCode, n uint64) []byte {
	b := []byte{0x80 | byte(op), 0x80 | 127}
	b = binary.BigEndian.AppendUint64(b, n)
	return append(b, 1, 2, 3, 4)
}

func newParser() *parser {
	return &parser{maxMessage: defaultMaxMessage, maxFragments: defaultMaxFragments}
}

// found is a parser's verdict on a whole stream.
type found struct {
	events []string
	code   transport.CloseCode // of the violation that ended it
}

// parse feeds stream in pieces whose sizes cut gives.
func parse(ps *parser, stream []byte, cut func() int) (f found) {
	for len(stream) > 0 {
		k := max(1, min(cut(), len(stream)))
		// The input is not the parser's: spoil it after each call.
		in := bytes.Clone(stream[:k])
		stream = stream[k:]
		for p := in; len(p) > 0; {
			n, ev, err := ps.feed(p)
			if err != nil {
				v, ok := err.(*violation)
				if !ok {
					panic(err)
				}
				f.code = v.code
				return f
			}
			if ev.kind == evNone && n != len(p) {
				panic("feed stopped without an event")
			}
			clear(p[:n])
			p = p[n:]
			switch ev.kind {
			case evMessage:
				f.events = append(f.events, fmt.Sprintf("message %d %q", ev.op, ev.data))
			case evPing:
				f.events = append(f.events, fmt.Sprintf("ping %q", ev.data))
			case evPong:
				f.events = append(f.events, "pong")
			case evClose:
				f.events = append(f.events, "close")
				return f
			}
		}
	}
	return f
}

func whole() int { return 1 << 30 }

func (f found) equal(o found) bool { return f.code == o.code && slices.Equal(f.events, o.events) }

// reference reads a stream with the codec's own reader, which does not know about
// limits or messages, and applies RFC 6455 and the project's limits in the
// plainest way. It stops at what does not fit.
func reference(stream []byte) (f found) {
	fail := func(c transport.CloseCode) found { f.code = c; return f }
	r := bytes.NewReader(stream)
	var msg []byte
	var op ws.OpCode
	frags := 0
	for {
		before := len(stream) - r.Len()
		h, err := ws.ReadHeader(r)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return f
		case err != nil:
			return fail(1002)
		}
		size := len(stream) - r.Len() - before
		if size != ws.HeaderSize(h) {
			return fail(1002) // not the shortest form
		}
		control := h.OpCode >= 8
		switch {
		case h.OpCode > 2 && h.OpCode < 8, h.OpCode > 10, h.Rsv != 0, !h.Masked,
			control && (h.Length > 125 || !h.Fin),
			!control && (h.OpCode == 0) != (frags > 0):
			return fail(1002)
		}
		if !control {
			if h.OpCode != 0 {
				op = h.OpCode
			} else if h.Length == 0 && !h.Fin {
				return fail(1008)
			}
			if frags++; frags > defaultMaxFragments {
				return fail(1008)
			}
			if h.Length > defaultMaxMessage-int64(len(msg)) {
				return fail(1009)
			}
		}
		if int64(r.Len()) < h.Length {
			return f
		}
		p := make([]byte, h.Length)
		io.ReadFull(r, p)
		for i := range p {
			p[i] ^= h.Mask[i%4]
		}
		switch h.OpCode {
		case ws.OpPing:
			f.events = append(f.events, fmt.Sprintf("ping %q", append([]byte{0x8a, byte(len(p))}, p...)))
			continue
		case ws.OpPong:
			f.events = append(f.events, "pong")
			continue
		case ws.OpClose:
			if len(p) > 0 {
				if len(p) == 1 {
					return fail(1002)
				}
				c := binary.BigEndian.Uint16(p)
				if c < 1000 || c > 4999 || c > 1003 && c < 1007 || c > 1011 && c < 3000 {
					return fail(1002)
				}
				if !utf8.Valid(p[2:]) {
					return fail(1007)
				}
			}
			f.events = append(f.events, "close")
			return f
		}
		msg = append(msg, p...)
		if op == ws.OpText && !textSoFar(msg, h.Fin) {
			return fail(1007)
		}
		if h.Fin {
			f.events = append(f.events, fmt.Sprintf("message %d %q", op, msg))
			msg, frags = nil, 0
		}
	}
}

// textSoFar reports whether b is UTF-8, or could become it.
func textSoFar(b []byte, final bool) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return !final && !utf8.FullRune(b)
		}
		b = b[n:]
	}
	return true
}

func FuzzParser(f *testing.F) {
	f.Add(clientFrame(ws.OpText, true, "héllo"), uint64(1))
	f.Add(append(clientFrame(ws.OpText, false, "\xe2\x82"), clientFrame(ws.OpContinuation, true, "\xac")...), uint64(2))
	f.Add(append(clientFrame(ws.OpPing, true, "p"), clientFrame(ws.OpClose, true, "\x03\xe8bye")...), uint64(3))
	f.Add(append(clientFrame(ws.OpBinary, true, strings.Repeat("x", 200)), clientFrame(ws.OpPong, true, "")...), uint64(4))
	f.Add(clientFrame(ws.OpBinary, true, strings.Repeat("x", 70000)), uint64(5))
	f.Add(append(clientFrame(ws.OpText, false, ""), clientFrame(ws.OpContinuation, false, "")...), uint64(6))
	f.Add(declaration(ws.OpText, 1<<63-1), uint64(7))
	f.Add([]byte{0x81, 0xfe, 0, 3, 1, 2, 3, 4, 0, 0, 0}, uint64(8))
	f.Add([]byte{0x81, 3, 'a', 'b', 'c'}, uint64(9))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) { checkStream(t, stream, seed) })
}

// checkStream holds that cutting a stream changes nothing and that the parser agrees with
// the reference.
func checkStream(t *testing.T, stream []byte, seed uint64) {
	t.Helper()
	all := parse(newParser(), stream, whole)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for name, cut := range map[string]func() int{
		"bytes":  func() int { return 1 },
		"random": func() int { return 1 + rnd.IntN(20) },
		"large":  func() int { return 1 + rnd.IntN(5000) },
	} {
		if got := parse(newParser(), stream, cut); !got.equal(all) {
			t.Fatalf("%s: cut to %s gives %.300v, whole %.300v (stream % .60x)", t.Name(), name, got, all, stream)
		}
	}
	if want := reference(stream); !all.equal(want) {
		t.Fatalf("got %.300v, reference %.300v (stream % .60x)", all, want, stream)
	}
}

// TestParserGenerated checks streams that are valid for the most part, with a
// mutation here and there.
func TestParserGenerated(t *testing.T) {
	n := 5000
	if testing.Short() {
		n = 2000
	}
	words := []string{"", "a", "héllo", "\xe2\x82", "\xac", "\xff", "€", strings.Repeat("x", 125), strings.Repeat("y", 126), strings.Repeat("😀", 40)}
	for seed := range uint64(n) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var s []byte
		open := false
		for range rnd.IntN(12) {
			w := words[rnd.IntN(len(words))]
			fin := rnd.IntN(3) > 0
			var op ws.OpCode
			switch k := rnd.IntN(20); {
			case k < 3 && len(w) <= 125:
				op, fin = ws.OpPing, true
			case k < 5 && len(w) <= 125:
				op, fin = ws.OpPong, true
			case k == 5:
				op, fin, w = ws.OpClose, true, "\x03\xe8"+words[rnd.IntN(7)]
			default:
				if !open {
					op = ws.OpCode(1 + rnd.IntN(2))
				}
				open = !fin
			}
			fr := ws.NewFrame(op, fin, []byte(w))
			fr = ws.MaskFrameInPlaceWith(fr, [4]byte{byte(rnd.Uint32()), byte(rnd.Uint32()), byte(seed), 9})
			s = append(s, ws.MustCompileFrame(fr)...)
		}
		if rnd.IntN(2) == 0 && len(s) > 0 {
			s[rnd.IntN(len(s))] ^= 1 << rnd.IntN(8)
		}
		checkStream(t, s, seed)
	}
}

// TestCipher compares the codec's masking, which is in assembly for some machines,
// with the definition.
func TestCipher(t *testing.T) {
	mask := [4]byte{0x11, 0x92, 0xe3, 0x54}
	for n := range 300 {
		for offset := range 9 {
			got := make([]byte, n+2)
			for i := range got {
				got[i] = byte(i * 31)
			}
			want := bytes.Clone(got)
			ws.Cipher(got[1:n+1], mask, offset)
			for i := range n {
				want[1+i] ^= mask[(offset+i)%4]
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes at offset %d: % x, want % x", n, offset, got, want)
			}
		}
	}
}

// TestUTF8EverySplit cuts texts between any two bytes, into fragments and into
// pieces of one frame.
func TestUTF8EverySplit(t *testing.T) {
	for _, s := range []string{
		"aé€😀z", "\U0010ffff\u07ff", "a\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf", "é\xff", "\xe0\x80\xaf", "\x80",
	} {
		want := transport.CloseCode(0)
		if !utf8.ValidString(s) {
			want = transport.CloseInvalidData
		}
		for i := range len(s) + 1 {
			for j := i; j <= len(s); j++ {
				stream := clientFrame(ws.OpText, false, s[:i])
				if i < j {
					stream = append(stream, clientFrame(ws.OpContinuation, false, s[i:j])...)
				}
				stream = append(stream, clientFrame(ws.OpContinuation, true, s[j:])...)
				if got := parse(newParser(), stream, whole); got.code != want {
					t.Errorf("%q cut at %d and %d: %v", s, i, j, got)
				}
				if got := parse(newParser(), stream, func() int { return 1 }); got.code != want {
					t.Errorf("%q cut at %d and %d, by bytes: %v", s, i, j, got)
				}
			}
		}
	}
}

// allocated measures the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestDeclaredLengthsAllocateNothing sends 10,000 headers with lengths beyond the limit,
// and with lengths within it that no payload follows.
func TestDeclaredLengthsAllocateNothing(t *testing.T) {
	const n = 10000
	for _, tc := range []struct {
		name string
		in   []byte
		code transport.CloseCode
		each uint64 // bytes allowed for one
	}{
		{"2^63-1", declaration(ws.OpBinary, 1<<63-1), 1009, 512},
		{"2^63", declaration(ws.OpBinary, 1<<63), 1002, 512},
		{"2^40", declaration(ws.OpText, 1<<40), 1009, 512},
		{"one more", declaration(ws.OpText, defaultMaxMessage+1), 1009, 512},
		{"limit, empty", declaration(ws.OpText, defaultMaxMessage), 0, 512},
		{"limit, one byte", append(declaration(ws.OpText, defaultMaxMessage), 'a'), 0, firstAlloc + 512},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := allocated(func() {
				for range n {
					ps := newParser()
					_, ev, err := ps.feed(tc.in)
					var code transport.CloseCode
					if v, ok := err.(*violation); ok {
						code = v.code
					}
					if code != tc.code || ev.kind != evNone {
						t.Fatalf("event %v, error %v", ev, err)
					}
				}
			})
			if got > n*tc.each+64<<10 {
				t.Errorf("%d bytes for each", got/n)
			}
		})
	}
}

// TestPayloadGrowsWithArrival holds what a message costs to what was sent of it.
func TestPayloadGrowsWithArrival(t *testing.T) {
	ps := newParser()
	in := declaration(ws.OpBinary, defaultMaxMessage)
	if _, _, err := ps.feed(in); err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 1000)
	for sent := 0; sent < defaultMaxMessage; {
		n := min(len(piece), defaultMaxMessage-sent)
		_, ev, err := ps.feed(piece[:n])
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		if c := cap(ps.msg); c > 2*sent+firstAlloc {
			t.Fatalf("%d bytes sent, room for %d", sent, c)
		}
		if sent == defaultMaxMessage && (ev.kind != evMessage || cap(ev.data) != defaultMaxMessage) {
			t.Fatalf("at the end %d, capacity %d", ev.kind, cap(ev.data))
		}
	}
}

// TestWholePayloadIsExact holds a payload that is there at once to one allocation of its
// size.
func TestWholePayloadIsExact(t *testing.T) {
	in := clientFrame(ws.OpText, true, strings.Repeat("x", 1000))
	ps := newParser()
	if n := testing.AllocsPerRun(100, func() {
		_, ev, err := ps.feed(in)
		if err != nil || ev.op != wire.Text || cap(ev.data) > 1024 {
			t.Fatal(ev, err)
		}
	}); n != 1 {
		t.Errorf("%v allocations", n)
	}
}

// fragmented is a message of so many bytes in so many fragments, of about one size, or, with
// first, all but one byte each of the others in the first.
func fragmented(size, fragments int, first bool) []byte {
	var b []byte
	op, left := ws.OpBinary, size
	for i := range fragments {
		n := left / (fragments - i)
		if first && i == 0 {
			n = size - (fragments - 1)
		}
		b = append(b, clientFrame(op, i == fragments-1, strings.Repeat("x", n))...)
		op, left = ws.OpContinuation, left-n
	}
	return b
}

// TestFragmentsCostInProportion counts the bytes that a message takes in fragments, and how
// many of them are kept with it.
func TestFragmentsCostInProportion(t *testing.T) {
	for _, size := range []int{1 << 10, 100_000, 1<<19 + 1, defaultMaxMessage} {
		for _, fragments := range []int{1, 2, 3, 33, 64, 65, 66, 90, 127, defaultMaxFragments} {
			for _, first := range []bool{false, true} {
				whole := fragmented(size, fragments, first)
				for _, piece := range []int{1 << 30, 16 << 10, 1000} {
					stream := bytes.Clone(whole)
					var data []byte
					n := allocated(func() {
						ps := newParser()
						for in := stream; len(in) > 0; in = in[min(piece, len(in)):] {
							for p := in[:min(piece, len(in))]; len(p) > 0; {
								k, ev, err := ps.feed(p)
								if err != nil {
									t.Fatal(err)
								}
								if ev.kind == evMessage {
									data = ev.data
								}
								p = p[k:]
							}
						}
					})
					name := fmt.Sprintf("%d bytes in %d fragments, the first large: %v, read by %d", size, fragments, first, piece)
					if len(data) != size || cap(data)-size > size/4 {
						t.Errorf("%s: %d bytes in a slice of %d", name, len(data), cap(data))
					}
					if most := uint64(6*size + 16<<10); n > most {
						t.Errorf("%s: allocated %d bytes, %.1f for each", name, n, float64(n)/float64(size))
					}
				}
			}
		}
	}
}

// TestMillionFragments sends fragments without end.
func TestMillionFragments(t *testing.T) {
	stream := clientFrame(ws.OpText, false, "a")
	one := append(clientFrame(ws.OpContinuation, false, "b"), clientFrame(ws.OpPing, true, "")...)
	for range 1_000_000 {
		stream = append(stream, one...)
	}
	var got found
	n := allocated(func() { got = parseInPlace(newParser(), stream) })
	if got.code != transport.ClosePolicy || len(got.events) != defaultMaxFragments-1 {
		t.Errorf("closed with %d after %d pings", got.code, len(got.events))
	}
	if n > 64<<10 {
		t.Errorf("allocated %d bytes", n)
	}
}

// parseInPlace is parse for streams too large to copy.
func parseInPlace(ps *parser, p []byte) (f found) {
	for len(p) > 0 {
		n, ev, err := ps.feed(p)
		if err != nil {
			f.code = err.(*violation).code
			return f
		}
		p = p[n:]
		if ev.kind != evNone {
			f.events = append(f.events, "")
		}
	}
	return f
}

// BenchmarkFragments parses messages of 1 MiB and less in the shapes that cost most for each
// byte.
func BenchmarkFragments(b *testing.B) {
	for _, shape := range []struct {
		name   string
		stream []byte
	}{
		{"whole", fragmented(defaultMaxMessage, 1, false)},
		{"fragments2", fragmented(defaultMaxMessage, 2, false)},
		{"fragments66", fragmented(defaultMaxMessage, 66, false)},
		{"fragments128", fragmented(defaultMaxMessage, defaultMaxFragments, false)},
		{"large-first", fragmented(defaultMaxMessage, defaultMaxFragments, true)},
		{"just-over-half", fragmented(1<<19+1, defaultMaxFragments, true)},
		{"16KiB-in-128", fragmented(16<<10, defaultMaxFragments, false)},
		{"one-byte-each", fragmented(defaultMaxFragments, defaultMaxFragments, false)},
	} {
		b.Run(shape.name, func(b *testing.B) {
			ps := newParser()
			b.SetBytes(int64(len(shape.stream)))
			b.ReportAllocs()
			for range b.N {
				for in := shape.stream; len(in) > 0; in = in[min(len(readBuffer{}), len(in)):] {
					for p := in[:min(len(readBuffer{}), len(in))]; len(p) > 0; {
						k, _, err := ps.feed(p)
						if err != nil {
							b.Fatal(err)
						}
						p = p[k:]
					}
				}
			}
		})
	}
}

func BenchmarkParser(b *testing.B) {
	for _, n := range []int{16, 100, 1000, 16000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			one := clientFrame(ws.OpText, true, strings.Repeat("x", n))
			in := bytes.Repeat(one, max(1, 16384/len(one)))
			ps := newParser()
			b.SetBytes(int64(len(one)))
			b.ReportAllocs()
			for i := 0; i < b.N; {
				for p := in; len(p) > 0; i++ {
					k, _, err := ps.feed(p)
					if err != nil {
						b.Fatal(err)
					}
					p = p[k:]
				}
			}
		})
	}
}

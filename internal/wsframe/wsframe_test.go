package wsframe

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

var key = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// The examples of RFC 6455, section 5.7, and its limits.
var headers = []struct {
	header Header
	want   string
}{
	{Header{Final: true, Op: Text, Length: 5}, "\x81\x05"},
	{Header{Final: true, Op: Text, Masked: true, Key: key, Length: 5}, "\x81\x85\x37\xfa\x21\x3d"},
	{Header{Op: Text, Length: 3}, "\x01\x03"},
	{Header{Final: true, Length: 2}, "\x80\x02"},
	{Header{Final: true, Op: Ping, Length: 5}, "\x89\x05"},
	{Header{Final: true, Op: Binary, Length: 256}, "\x82\x7e\x01\x00"},
	{Header{Final: true, Op: Binary, Length: 65536}, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
	{Header{Final: true, RSV: 4, Op: Close}, "\xc8\x00"},
	{Header{RSV: 3, Op: 15, Length: 125}, "\x3f\x7d"},
	{Header{Op: Pong, Masked: true, Key: key, Length: 126}, "\x0a\xfe\x00\x7e\x37\xfa\x21\x3d"},
	{Header{Op: Text, Length: 65535}, "\x01\x7e\xff\xff"},
	{Header{Op: Text, Masked: true, Key: key, Length: 1<<64 - 1}, "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x37\xfa\x21\x3d"},
	{Header{Op: Text, Length: 5, Wide: 2}, "\x01\x7e\x00\x05"},
	{Header{Op: Text, Length: 5, Wide: 8}, "\x01\x7f\x00\x00\x00\x00\x00\x00\x00\x05"},
}

func TestHeader(t *testing.T) {
	for _, tt := range headers {
		if got := tt.header.Append([]byte("x")); string(got) != "x"+tt.want {
			t.Errorf("%+v: % x, want % x", tt.header, got[1:], tt.want)
		}
		want := tt.header
		want.Wide = 0
		if got, n := Parse([]byte(tt.want + "more")); got != want || n != len(tt.want) {
			t.Errorf("% x: %+v of %d bytes, want %+v", tt.want, got, n, want)
		}
		r := bytes.NewReader([]byte(tt.want + "more"))
		if got, err := Read(r); got != want || err != nil || r.Len() != len("more") {
			t.Errorf("% x: read %+v, %v, %d bytes left; want %+v", tt.want, got, err, r.Len(), want)
		}
		for i := range tt.want {
			if got, n := Parse([]byte(tt.want[:i])); n != 0 {
				t.Errorf("% x: a header of %d bytes: %+v", tt.want[:i], n, got)
			}
			end := io.ErrUnexpectedEOF
			if i == 0 {
				end = io.EOF
			}
			if got, err := Read(bytes.NewReader([]byte(tt.want[:i]))); !errors.Is(err, end) {
				t.Errorf("% x: read %+v, %v; want %v", tt.want[:i], got, err, end)
			}
		}
	}
}

func TestAppendMasked(t *testing.T) {
	got := AppendMasked([]byte("x"), Text, key, []byte("Hello"))
	if want := "x\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; string(got) != want {
		t.Errorf("% x, want % x", got, want)
	}
	Mask(got[7:], key)
	if string(got[7:]) != "Hello" {
		t.Errorf("unmasked it is %q", got[7:])
	}
}

// What is parsed is written again as it was, but for a length that is wider than need be.
func FuzzParse(f *testing.F) {
	for _, tt := range headers {
		f.Add([]byte(tt.want))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		h, n := Parse(p)
		if n == 0 {
			return
		}
		if n > len(p) {
			t.Fatalf("a header of %d bytes in %d", n, len(p))
		}
		if again, m := Parse(h.Append(nil)); again != h || m > n {
			t.Fatalf("% x is %+v, and that is %+v in %d bytes", p[:n], h, again, m)
		}
	})
}

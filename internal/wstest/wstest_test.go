package wstest

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// TestFrame checks the bytes of frames against examples of RFC 6455, section 5.7.
func TestFrame(t *testing.T) {
	for _, tc := range []struct {
		name  string
		frame Frame
		want  []byte
	}{
		{"masked text", Text("Hello"), []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}},
		{"unmasked text", Frame{Op: OpText, Payload: []byte("Hello"), Unmasked: true}, []byte{0x81, 0x05, 'H', 'e', 'l', 'l', 'o'}},
		{"first fragment", Frame{Op: OpText, Payload: []byte("Hel"), Partial: true, Unmasked: true}, []byte{0x01, 0x03, 'H', 'e', 'l'}},
		{"reserved bit", Frame{Op: OpPing, RSV: 4, Unmasked: true}, []byte{0xc9, 0x00}},
		{"two bytes of length", Frame{Op: OpBinary, Wide: 2, Unmasked: true}, []byte{0x82, 126, 0, 0}},
		{"false length", Frame{Op: OpBinary, Declare: 1 << 40, Unmasked: true}, []byte{0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0}},
	} {
		if got := tc.frame.Append(nil); !bytes.Equal(got, tc.want) {
			t.Errorf("%s: % x, want % x", tc.name, got, tc.want)
		}
	}
}

func TestReadFrame(t *testing.T) {
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		sent := Frame{Op: OpBinary, Payload: make([]byte, n), Unmasked: true}
		got, err := ReadFrame(bufio.NewReader(bytes.NewReader(sent.Append(nil))))
		if err != nil || got.Op != OpBinary || len(got.Payload) != n {
			t.Errorf("%d bytes: %v, %v", n, got.Op, err)
		}
	}
	for _, wrong := range []string{"\x01\x00", "\x81\x80", "\xc1\x00", "\x81\x01\xff", "\x81", "\x81\x02a"} {
		if f, err := ReadFrame(bufio.NewReader(strings.NewReader(wrong))); err == nil {
			t.Errorf("%q is read as %v", wrong, f)
		}
	}
}

func TestCanonical(t *testing.T) {
	if a, b := canonical(`{"b":1, "a":[2.0]}`), canonical(`{"a":[2.0],"b":1}`); a != b {
		t.Errorf("%s and %s differ", a, b)
	}
	if a, b := canonical(`{"a":2.0}`), canonical(`{"a":2}`); a == b {
		t.Errorf("2.0 and 2 are both %s", a)
	}
}

func TestUnmask(t *testing.T) {
	var b []byte
	sizes := []int{0, 125, 126, 65535, 65536}
	for _, n := range sizes {
		b = Text(strings.Repeat("x", n)).Append(b)
	}
	for _, want := range sizes {
		f, n, err := unmask(b)
		if err != nil || f.Op != OpText || len(f.Payload) != want || strings.Trim(string(f.Payload), "x") != "" {
			t.Fatalf("%d bytes: %v, %v", want, f.Op, err)
		}
		b = b[n:]
	}
	for _, wrong := range []string{"\x81\x85", "\x81\xfe\x01\x00abcd", "\x88\x80abcd"} {
		if _, _, err := unmask([]byte(wrong)); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

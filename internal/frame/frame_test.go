package frame

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/bennu-go/bennu/wire"
)

func TestFrame(t *testing.T) {
	tests := []struct {
		n      int
		header []byte // after the opcode
	}{
		{0, []byte{0}},
		{1, []byte{1}},
		{125, []byte{125}},
		{126, []byte{126, 0, 126}},
		{127, []byte{126, 0, 127}},
		{65535, []byte{126, 255, 255}},
		{65536, []byte{127, 0, 0, 0, 0, 0, 1, 0, 0}},
		{1 << 20, []byte{127, 0, 0, 0, 0, 0, 16, 0, 0}},
	}
	for _, tt := range tests {
		for _, op := range []wire.Opcode{wire.Text, wire.Binary} {
			t.Run(fmt.Sprint(tt.n, op), func(t *testing.T) {
				payload := bytes.Repeat([]byte{'x'}, tt.n)
				f := Seal(op, append(make([]byte, Headroom), payload...))

				header := append([]byte{0x80 | byte(op)}, tt.header...)
				if got := f.Bytes()[:len(header)]; !bytes.Equal(got, header) {
					t.Errorf("header = %x, want %x", got, header)
				}
				if got, want := len(f.Bytes()), len(header)+tt.n; got != want {
					t.Errorf("%d bytes, want %d", got, want)
				}
				if !bytes.Equal(f.Payload(), payload) {
					t.Errorf("payload of %d bytes did not come back", tt.n)
				}
				if f.Opcode() != op {
					t.Errorf("Opcode = %d, want %d", f.Opcode(), op)
				}
			})
		}
	}
}

// The headroom may hold anything: buffers are reused.
func TestSealDirtyHeadroom(t *testing.T) {
	for _, n := range []int{0, 126, 65536} {
		clean := Seal(wire.Text, make([]byte, Headroom+n))
		buf := make([]byte, Headroom+n)
		for i := range Headroom {
			buf[i] = 0xff
		}
		if dirty := Seal(wire.Text, buf); !bytes.Equal(clean.Bytes(), dirty.Bytes()) {
			t.Errorf("%d bytes: %x, want %x", n, dirty.Bytes()[:10], clean.Bytes()[:10])
		}
	}
}

func TestSealAllocatesNothing(t *testing.T) {
	buf := make([]byte, Headroom+100)
	var f Frame
	if n := testing.AllocsPerRun(100, func() { f = Seal(wire.Text, buf) }); n != 0 {
		t.Errorf("Seal: %v allocations", n)
	}
	_ = f
}

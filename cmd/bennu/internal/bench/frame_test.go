package bench

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/wsframe"
)

// read feeds data to a reader in pieces and writes what it finds.
func readFrames(data []byte, piece int) (found []string, r frameReader, err error) {
	for len(data) > 0 {
		n := min(piece, len(data))
		buf := r.begin(append([]byte(nil), data[:n]...))
		data = data[n:]
		for {
			op, payload, n, err := r.next(buf)
			if err != nil {
				return found, r, err
			}
			if n == 0 {
				r.keep(buf)
				break
			}
			if op != opNone {
				found = append(found, fmt.Sprintf("%x:%s", op, payload))
			}
			buf = buf[n:]
		}
	}
	return found, r, nil
}

func serverFrame(first byte, payload string) string {
	h := wsframe.Header{Final: first&0x80 != 0, RSV: first >> 4 & 7, Op: first & 15, Length: uint64(len(payload))}
	return string(h.Append(nil)) + payload
}

func TestFrameReader(t *testing.T) {
	long, longer := strings.Repeat("l", 300), strings.Repeat("L", 70_000)
	tests := []struct {
		name  string
		data  string
		found []string
		err   error
	}{
		{"text", serverFrame(0x81, "hello"), []string{"1:hello"}, nil},
		{"empty", serverFrame(0x81, ""), []string{"1:"}, nil},
		{"two", serverFrame(0x81, "a") + serverFrame(0x82, "b"), []string{"1:a", "2:b"}, nil},
		{"16 bits", serverFrame(0x81, long), []string{"1:" + long}, nil},
		{"64 bits", serverFrame(0x81, longer), []string{"1:" + longer}, nil},
		{"fragments", serverFrame(0x01, "a") + serverFrame(0x00, "b") + serverFrame(0x80, "c"), []string{"1:abc"}, nil},
		{"ping among fragments", serverFrame(0x01, "a") + serverFrame(0x89, "p") + serverFrame(0x80, "c"), []string{"9:p", "1:ac"}, nil},
		{"close", serverFrame(0x88, "\x03\xf5"), []string{"8:\x03\xf5"}, nil},
		{"not whole", serverFrame(0x81, "hello")[:4], nil, nil},
		{"reserved bits", serverFrame(0xc1, "a"), nil, errReserved},
		{"masked", "\x81\x81mask" + "a", nil, errMasked},
		{"opcode 3", serverFrame(0x83, "a"), nil, errOpcode},
		{"opcode b", serverFrame(0x8b, "a"), nil, errOpcode},
		{"long ping", serverFrame(0x89, long), nil, errControl},
		{"fragmented ping", serverFrame(0x09, "a"), nil, errControl},
		{"stray continuation", serverFrame(0x80, "a"), nil, errStray},
		{"message in a message", serverFrame(0x01, "a") + serverFrame(0x81, "b"), nil, errInterleave},
		{"too long", "\x81\x7f\x00\x00\x00\x00\x01\x00\x00\x00", nil, errTooLong},
		{"longest of all", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", nil, errTooLong},
	}
	for _, tt := range tests {
		for _, piece := range []int{1, 2, 3, 7, 4096, 1 << 20} {
			t.Run(fmt.Sprintf("%s by %d", tt.name, piece), func(t *testing.T) {
				found, r, err := readFrames([]byte(tt.data), piece)
				if !errors.Is(err, tt.err) || fmt.Sprint(found) != fmt.Sprint(tt.found) {
					t.Errorf("got %.200q, %v; want %.200q, %v", found, err, tt.found, tt.err)
				}
				if tt.err == nil && tt.found != nil && (r.rest != nil || r.message != nil || r.fragmented) {
					t.Errorf("between messages the reader holds %+v", r)
				}
			})
		}
	}
}

func TestCloseCode(t *testing.T) {
	for payload, want := range map[string]int{"": 1005, "\x03\xf5": 1013, "\x03\xf5later": 1013} {
		if code, err := closeCode([]byte(payload)); err != nil || code != want {
			t.Errorf("%q: %d, %v; want %d", payload, code, err, want)
		}
	}
	if _, err := closeCode([]byte{3}); !errors.Is(err, errCloseBody) {
		t.Errorf("one byte: %v", err)
	}
}

// The same messages are found however the bytes are divided, and no bytes cause a panic.
func FuzzFrameReader(f *testing.F) {
	f.Add([]byte(serverFrame(0x81, "hello")+serverFrame(0x01, "a")+serverFrame(0x80, "b")), 3)
	f.Add([]byte(serverFrame(0x88, "\x03\xf5")), 1)
	f.Add([]byte("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), 4)
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		piece = max(1, min(piece, len(data)))
		one, _, oneErr := readFrames(data, len(data)+1)
		many, r, manyErr := readFrames(data, piece)
		if fmt.Sprint(one) != fmt.Sprint(many) || !errors.Is(manyErr, oneErr) {
			t.Errorf("whole: %q, %v; in pieces of %d: %q, %v", one, oneErr, piece, many, manyErr)
		}
		if len(r.rest) > len(data) || len(r.message) > maxMessage {
			t.Errorf("the reader holds %d and %d bytes of %d", len(r.rest), len(r.message), len(data))
		}
	})
}

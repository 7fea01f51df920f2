package redisconn

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// wire is a connection that only reads.
type wire struct {
	net.Conn
	io.Reader
}

func (w wire) Read(p []byte) (int, error) { return w.Reader.Read(p) }

const someReplies = "*3\r\n$7\r\nmessage\r\n$3\r\nc\r\n\r\n$5\r\n*9\r\n$\r\n+OK\r\n-ERR no\r\n:12\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n_\r\n"

func TestGuard(t *testing.T) {
	big := strings.Repeat("x", 100_000)
	all := someReplies + "$100000\r\n" + big + "\r\n" + someReplies
	for name, r := range map[string]io.Reader{
		"at once":      strings.NewReader(all),
		"byte by byte": iotest.OneByteReader(strings.NewReader(all)),
		"with EOF":     iotest.DataErrReader(strings.NewReader(all)),
	} {
		got, err := io.ReadAll(newGuard(wire{Reader: r}))
		if err != nil || string(got) != all {
			t.Errorf("%s: %v, %d bytes of %d", name, err, len(got), len(all))
		}
	}
	var got bytes.Buffer
	g := newGuard(wire{Reader: strings.NewReader(all)})
	for {
		p := make([]byte, 1+rand.IntN(50))
		n, err := g.Read(p)
		got.Write(p[:n])
		if err != nil {
			break
		}
	}
	if got.String() != all {
		t.Error("in small pieces something else comes out")
	}
}

// A string that is too long is read as an empty one, and the data after it unchanged.
func TestGuardOverlong(t *testing.T) {
	long := io.MultiReader(strings.NewReader("*2\r\n$8388609\r\n"), io.LimitReader(zeros{}, MaxPayload+1), strings.NewReader("\r\n$1\r\nx\r\n"))
	got, err := io.ReadAll(newGuard(wire{Reader: long}))
	if err != nil || string(got) != "*2\r\n$0\r\n\r\n$1\r\nx\r\n" {
		t.Errorf("%v, %q", err, got)
	}
	for _, bad := range []string{"$9999999999999\r\n", "*32769\r\n", "$x\r\n", "\r\n", "*\r\n", "+" + strings.Repeat("x", 2*guardBuffer) + "\r\n"} {
		if _, err := io.ReadAll(newGuard(wire{Reader: strings.NewReader(bad)})); !errors.Is(err, errOverlong) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func FuzzGuard(f *testing.F) {
	f.Add([]byte(someReplies), 7)
	f.Add([]byte("$5\r\nhel"), 1)
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		g := newGuard(wire{Reader: bytes.NewReader(sent)})
		p := make([]byte, 1+max(piece, -piece)%4096)
		total := 0
		for {
			n, err := g.Read(p)
			if n < 0 || n > len(p) {
				t.Fatalf("Read returned %d of %d", n, len(p))
			}
			if total += n; total > len(sent) {
				t.Fatalf("%d bytes came of %d", total, len(sent))
			}
			if err != nil {
				return
			}
			if n == 0 {
				t.Fatal("Read returned nothing and no error")
			}
		}
	})
}

package bench

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// The example of RFC 6455.
func newTestHandshake() *handshake {
	return newHandshake(&target{addr: netip.MustParseAddrPort("127.0.0.1:80"), host: "h", path: "/p?vsn=2.0.0"}, [16]byte([]byte("the sample nonce")))
}

func TestHandshake(t *testing.T) {
	h := newTestHandshake()
	if !strings.Contains(string(h.request), "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") || h.accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("request %q, accept %q", h.request, h.accept)
	}
	good := "HTTP/1.1 101 Switching Protocols\r\nUPGRADE: WebSocket\r\nConnection: Upgrade\r\nsec-websocket-accept: " + h.accept + "\r\n\r\n"
	for n := range len(good) {
		if got, err := h.check([]byte(good[:n])); got != 0 || err != nil {
			t.Fatalf("%d bytes of the answer: %d, %v", n, got, err)
		}
	}
	if n, err := h.check([]byte(good + "\x81\x00")); n != len(good) || err != nil {
		t.Errorf("the answer: %d, %v", n, err)
	}

	for answer, want := range map[string]struct {
		status int
		text   string
		busy   bool
	}{
		"SSH-2.0-x\r\n": {0, `is no HTTP/1.1, it begins with "SSH-2.0-x`, false},
		"HTTP/1.0 101 Switching Protocols\r\n\r\n": {0, "is no HTTP/1.1", false},
		"HTTP/1.1 403 Forbidden\r\n\r\n":           {403, "the answer is 403 Forbidden", false},
		"HTTP/1.1 404 Not Found\r\n\r\n":           {404, "the answer is 404 Not Found; there may be no socket at this path", false},
		"HTTP/1.1 503 Service Unavailable\r\n\r\n": {503, "the answer is 503", true},
		"HTTP/1.1 429\r\n\r\n":                     {429, "the answer is 429", true},
		"HTTP/1.1 \r\n\r\n":                        {0, "the answer is ", false},
		"HTTP/1.1 101 x\r\n\r\n":                   {101, "without Upgrade", false},
		strings.Replace(good, "s3p", "S3P", 1):     {101, "does not fit the key", false},
		strings.Replace(good, "Connection: Upgrade", "Sec-WebSocket-Extensions: permessage-deflate", 1): {101, "an extension that was not asked for", false},
		"HTTP/1.1 101 x\r\nx: " + strings.Repeat("x", maxResponse):                                      {0, "more than 16384 bytes", false},
	} {
		_, err := h.check([]byte(answer))
		var u *UpgradeError
		if !errors.As(err, &u) || u.Status != want.status || !strings.Contains(u.Error(), want.text) || u.Busy() != want.busy {
			t.Errorf("%.60q: %v, want %q", answer, err, want.text)
		}
	}
}

func FuzzHandshake(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 \r\n\r\n"))
	h := newTestHandshake()
	f.Fuzz(func(t *testing.T, answer []byte) {
		if n, err := h.check(answer); n > len(answer) || n > 0 && err == nil && !strings.Contains(string(answer), h.accept) {
			t.Errorf("%q is taken, %d bytes", answer, n)
		}
	})
}

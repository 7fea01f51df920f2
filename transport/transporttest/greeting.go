package transporttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// handshake is longer than a handshake may take, and than the default WriteTimeout.
const handshake = 11 * time.Second

// greeting are the checks of what comes before Accept.
var greeting = []check{
	{
		name: "handshake/bytes",
		law:  "before Accept a transport reads no more than a handshake can have: 16 KiB are enough",
		only: silent,
		body: func(s *suite) {
			s.start(setup{})
			nc := s.greet()
			_ = nc.SetWriteDeadline(time.Now().Add(handshake))
			data := bytes.Repeat([]byte("x"), 64<<10)
			for n := 0; ; n += len(data) {
				if _, err := nc.Write(data); err != nil {
					break
				}
				if n > stuffed {
					s.Fatalf("%d MiB of a handshake were taken", n>>20)
				}
			}
			s.alive(s.connect())
		},
	},
	{
		name: "handshake/time",
		law:  "a client that makes no handshake is closed within 10 s",
		only: silent,
		body: func(s *suite) {
			s.start(setup{})
			nc := s.greet()
			most := handshake
			if !s.bubble { // the machine may be busy
				most = time.Minute
			}
			_ = nc.SetReadDeadline(time.Now().Add(most))
			if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) {
				s.Errorf("a client that has sent nothing is connected after %v", most)
			}
		},
	},
	{
		name: "handshake/shutdown",
		law:  "handshakes end with the context of Mount.Go, so that a client that makes none does not delay Shutdown",
		only: silent,
		body: func(s *suite) {
			s.start(setup{})
			s.greet()
			c, _ := s.connect() // the listener has taken both
			c.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
			defer cancel()
			s.ended = true
			if err := s.shutdown(ctx); err != nil {
				s.Errorf("Shutdown: %v", err)
				_ = s.shutdown(context.Background())
			}
		},
	},
}

// greet connects a client that makes no handshake.
func (s *suite) greet() net.Conn {
	s.Helper()
	nc, err := s.Silent(s.TB)
	if err != nil {
		s.Fatalf("a client cannot connect: %v", err)
	}
	s.Cleanup(func() { _ = nc.Close() })
	return nc
}

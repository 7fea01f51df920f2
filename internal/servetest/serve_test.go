package servetest_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/bennu-go/bennu/internal/servetest"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) { waittest.Main(m) }

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	cleanup func()
	failed  bool
}

func (r *recorder) Cleanup(f func())      { r.cleanup = f }
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestServe(t *testing.T) {
	for _, end := range []error{nil, errors.New("not in good order")} {
		r := &recorder{TB: t}
		addr := servetest.Serve(r, func(ctx context.Context, ln net.Listener) error {
			defer ln.Close()
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			defer c.Close()
			if _, err := c.Write([]byte("x")); err != nil {
				return err
			}
			<-ctx.Done()
			return end
		})
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		r.cleanup()
		if r.failed != (end != nil) {
			t.Errorf("after %v: failed %t", end, r.failed)
		}
	}
}

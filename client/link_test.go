package client

import (
	"context"
	"errors"
	"testing"

	"github.com/bennu-go/bennu/wire"
)

// closedByPeer is a conn that the server closes with the code 1000 while a frame is
// written: the write fails before the reader has returned the code.
type closedByPeer struct{ closed chan struct{} }

func (c *closedByPeer) read() (wire.Opcode, []byte, error) {
	<-c.closed
	return 0, nil, &CloseError{Code: closeNormal}
}

func (c *closedByPeer) write([]frame) error { return errors.New("cut") }
func (c *closedByPeer) close(int, string)   { close(c.closed) }

func TestAWriteThatFailsFirstDoesNotHideTheNormalCode(t *testing.T) {
	s, err := New("ws://example.com/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = s.Channel("a", nil).Join(ended) // is sent when there is a connection
	l := &link{socket: s, conn: &closedByPeer{make(chan struct{})}}
	if err := s.serve(l); !final(err) {
		t.Errorf("the connection ended with: %v", err)
	}
}

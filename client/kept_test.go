package client

import (
	"testing"

	"github.com/bennu-go/bennu/internal/clientwire"
	"github.com/bennu-go/bennu/wire"
)

// Payloads of pushes that were answered are not kept in memory.
func TestNothingIsKeptOfAnsweredPushes(t *testing.T) {
	s, err := New("ws://example.com/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ch := s.Channel("a", nil)
	l := &link{socket: s, conn: &scripted{closed: make(chan struct{})}}
	s.openedBy(l)
	receive := func(text string) {
		in, err := clientwire.V2{}.Decode(wire.Text, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		s.receive(l, &in)
	}
	s.mu.Lock()
	ch.asked = true
	ch.addLocked()
	ch.joinLocked()
	s.mu.Unlock()
	receive(`["1","1","a","phx_reply",{"status":"ok"}]`)
	p := &push{event: "e", done: make(chan struct{})}
	if err := ch.give(p, nil); err != nil {
		t.Fatal(err)
	}
	receive(`["1","2","a","phx_reply",{"status":"ok"}]`)
	<-p.done
	<-l.flushedForTest()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(ch.pending) != 0 || s.buffered != (count{}) {
		t.Errorf("%d pushes wait, %+v is buffered", len(ch.pending), s.buffered)
	}
}

func (l *link) flushedForTest() <-chan struct{} {
	l.socket.mu.Lock()
	defer l.socket.mu.Unlock()
	return l.flushedLocked()
}

package client

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/wire"
)

// scripted is a conn that receives the frames of a script, and then ends.
type scripted struct {
	frames []frame
	once   sync.Once
	closed chan struct{}
}

func (c *scripted) read() (wire.Opcode, []byte, error) {
	if len(c.frames) == 0 {
		return 0, nil, io.EOF
	}
	f := c.frames[0]
	c.frames = c.frames[1:]
	return f.op, f.data, nil
}

func (c *scripted) write([]frame) error { return nil }

func (c *scripted) close(int, string) { c.once.Do(func() { close(c.closed) }) }

// Whatever a server sends: there is no panic, waiting calls return, and no goroutine is left.
func FuzzReceive(f *testing.F) {
	for _, seed := range []string{
		`["1","1","a","phx_reply",{"status":"ok","response":{}}]`, `["1","1","a","phx_reply",{"status":"error","response":{"reason":"x"}}]`,
		`["1","1","a","phx_close",{}]`, `["1","1","a","phx_error",{"reason":7}]`, `[null,null,"a","e",{}]`, `[null,"1","phoenix","phx_reply",{"status":"ok"}]`,
		`{"topic":"a","event":"phx_close","payload":{},"ref":"1"}`, "\x01\x01\x01\x01\x0211aok", "\x00\x01\x01\x011ae", "\x02\x01\x01ae\xff",
		`["1","e7k2m9x4:1","a","bennu:resume",{"status":"lost","reason":"epoch"}]`, `[null,null,"a","bennu:offset",{"next":"e7k2m9x4:2"}]`,
		`[null,"e7k2m9x4:2","a","e",{}]`, `["1","1","a","phx_error",{"reason":"resume"}]`,
	} {
		f.Add(false, true, []byte(seed), []byte(seed))
		f.Add(true, false, []byte(`["1","1","a","phx_reply",{"status":"ok","response":{}}]`), []byte(seed))
	}
	log := &panics{}
	f.Fuzz(func(t *testing.T, v1, binary bool, first, second []byte) {
		opts := &Options{Timeout: 5 * time.Second, Logger: slog.New(log), RejoinAfter: func(int) time.Duration { return time.Hour }}
		if v1 {
			opts.Version = version1
		}
		s, err := New("ws://example.com/socket", opts)
		if err != nil {
			t.Fatal(err)
		}
		ch := s.Channel("a", nil)
		ch.On("e", func(Message) {})
		if len(first)%2 == 0 {
			ch.Resume(func(Resumed) {})
		}
		joined := make(chan error, 1)
		go func() {
			_, err := ch.Join(context.Background())
			joined <- err
		}()
		for end := time.Now().Add(time.Minute); ch.State() != StateJoining && ch.State() != StateClosed; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatal("the channel does not begin to join")
			}
		}
		op := wire.Text
		if binary {
			op = wire.Binary
		}
		l := &link{socket: s, conn: &scripted{frames: []frame{{wire.Text, first}, {op, second}}, closed: make(chan struct{})}}
		err = s.serve(l)
		if err == nil || !errors.Is(err, io.EOF) && !errors.Is(err, ErrProtocol) {
			t.Errorf("served until %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-joined
		if n := log.count(); n > 0 {
			t.Errorf("%d panics", n)
		}
	})
}

// panics counts the panics that are logged.
type panics struct {
	slog.Handler
	mu sync.Mutex
	n  int
}

func (p *panics) Enabled(context.Context, slog.Level) bool { return true }

func (p *panics) Handle(context.Context, slog.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	return nil
}

func (p *panics) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

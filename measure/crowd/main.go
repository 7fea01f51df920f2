// Command crowd is many Go clients of one server, for the measurement clientmemory. It does
// what it reads from its standard input, a command a line, and answers each with a line:
//
//	join       connect one more client, with one channel and one callback
//	traffic    an echo on each, and a broadcast to all
//	collect    collect the garbage; the answer is the number of goroutines
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/measure/internal/part"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crowd ADDRESS")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c := &crowd{url: "ws://" + os.Args[1] + "/socket"}
	fmt.Println("ready")
	if err := part.Answer(os.Stdin, func(line string) (string, error) { return c.do(ctx, line) }); err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

type crowd struct {
	url      string
	channels []*client.Channel
	news     atomic.Int64 // broadcasts received, by all together
}

func (c *crowd) do(ctx context.Context, line string) (answer string, err error) {
	switch line {
	case "join":
		return "joined", c.join(ctx)
	case "traffic":
		return "done", c.traffic(ctx)
	case "collect":
		debug.FreeOSMemory()
		return strconv.Itoa(runtime.NumGoroutine()), nil
	}
	return "", fmt.Errorf("there is no command %q", line)
}

func (c *crowd) join(ctx context.Context) error {
	s, err := client.Dial(ctx, c.url, &client.Options{Timeout: time.Minute})
	if err != nil {
		return err
	}
	ch := s.Channel("room:all", nil)
	ch.On("news", func(client.Message) { c.news.Add(1) })
	c.channels = append(c.channels, ch)
	_, err = ch.Join(ctx)
	return err
}

func (c *crowd) traffic(ctx context.Context) error {
	for _, ch := range c.channels {
		if _, err := ch.Push(ctx, "echo", map[string]int{"n": 1}); err != nil {
			return err
		}
	}
	news := json.RawMessage(`{"text":"` + strings.Repeat("x", 80) + `"}`)
	if _, err := c.channels[0].Push(ctx, "broadcast", news); err != nil {
		return err
	}
	for c.news.Load() < int64(len(c.channels)) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("the broadcast did not reach every client")
		}
	}
	return nil
}

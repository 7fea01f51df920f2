// Command clientmemory measures what a client costs: it starts a server as a child,
// connects many sockets of package client to it, each with one channel and one
// callback, and reads its own resident memory when all have joined, and again
// after an echo and a broadcast on each.
//
//	go run ./test/clientmemory -clients 10000
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/client"
)

func main() {
	serve := flag.Bool("serve", false, "be the server; for the program's own use")
	n := flag.Int("clients", 10_000, "how many clients to run; the file limit must allow as many")
	flag.Parse()
	var err error
	if *serve {
		err = server()
	} else {
		err = measure(*n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "clientmemory:", err)
		os.Exit(1)
	}
}

type echo struct{}

func server() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	d := bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (echo, bennu.Empty, error) {
		return echo{}, bennu.Empty{}, nil
	})
	bennu.On(d, "echo", func(_ echo, _ context.Context, in bennu.Raw) (bennu.Raw, error) { return in, nil })
	var e *bennu.Endpoint
	bennu.On(d, "broadcast", func(_ echo, _ context.Context, in bennu.Raw) (bennu.Empty, error) {
		return bennu.Empty{}, e.Broadcast("room:all", "news", in)
	})
	var users bennu.SocketHandler
	users.Channel("room:*", d)
	e = bennu.NewEndpoint(&bennu.EndpointOptions{DrainTime: bennu.Unlimited})
	e.Socket("/socket", &users, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	return e.Serve(ctx, ln)
}

// resident is this process's resident memory in bytes.
func resident() int {
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(statm))[1])
	return pages * os.Getpagesize()
}

func measure(n int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(self, "-serve")
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	defer func() {
		_ = child.Process.Signal(os.Interrupt)
		_ = child.Wait()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return err
	}
	opts := &client.Options{Timeout: time.Minute}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()

	var news atomic.Int64
	open := func() (*client.Channel, error) {
		s, err := client.Dial(ctx, "ws://"+strings.TrimSpace(line)+"/socket", opts)
		if err != nil {
			return nil, err
		}
		ch := s.Channel("room:all", nil)
		ch.On("news", func(client.Message) { news.Add(1) })
		_, err = ch.Join(ctx)
		return ch, err
	}
	// One first, so that what is made only once is not counted.
	warm, err := open()
	if err != nil {
		return err
	}
	channels := []*client.Channel{warm}
	defer func() {
		for _, ch := range channels {
			_ = ch.Socket().Close()
		}
	}()
	base := resident()
	for i := range n {
		ch, err := open()
		if err != nil {
			return fmt.Errorf("client %d: %w", i+1, err)
		}
		channels = append(channels, ch)
		if (i+1)%1000 == 0 {
			fmt.Fprintf(os.Stderr, "\r%d of %d clients joined", i+1, n)
		}
	}
	fmt.Fprintln(os.Stderr)
	idle, goroutines := resident(), runtime.NumGoroutine()
	for _, ch := range channels {
		if _, err := ch.Push(ctx, "echo", map[string]int{"n": 1}); err != nil {
			return err
		}
	}
	if _, err := warm.Push(ctx, "broadcast", map[string]string{"text": strings.Repeat("x", 80)}); err != nil {
		return err
	}
	for news.Load() < int64(n+1) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("the broadcast did not reach every client")
		}
	}
	after := resident()
	fmt.Printf("%-40s %10s %16s\n", "", "RSS, MB", "per client")
	fmt.Printf("%-40s %10.1f\n", "process with one client", mb(base))
	fmt.Printf("%-40s %10.1f %13.2f KB\n", fmt.Sprintf("%d joined, idle", n), mb(idle), float64(idle-base)/1024/float64(n))
	fmt.Printf("%-40s %10.1f %13.2f KB\n", "after an echo and a broadcast on each", mb(after), float64(after-base)/1024/float64(n))
	fmt.Printf("%d goroutines, %.1f per client\n", goroutines, float64(goroutines)/float64(n))
	return nil
}

func mb(bytes int) float64 { return float64(bytes) / (1 << 20) }

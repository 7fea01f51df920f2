// Command memory measures what a joined connection costs a server process: it starts
// one as a child, joins a topic over each of many connections, and reads the
// child's resident memory when idle, and again after an echo and a broadcast on each.
//
//	go run ./test/memory -connections 10000
//	go run ./test/memory -connections 10000 -no-epoll
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/bennu-go/bennu"
)

func main() {
	serve := flag.Bool("serve", false, "be the server; for the program's own use")
	n := flag.Int("connections", 10_000, "how many connections to open; the file limit must allow as many")
	noEpoll := flag.Bool("no-epoll", false, "give every connection a goroutine, as with TLS and on other systems")
	flag.Parse()
	var err error
	if *serve {
		err = server(*noEpoll)
	} else {
		err = measure(*n, *noEpoll)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

type echo struct{}

func server(noEpoll bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	d := bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (echo, bennu.Empty, error) {
		return echo{}, bennu.Empty{}, nil
	})
	bennu.On(d, "echo", func(_ echo, _ context.Context, in bennu.Raw) (bennu.Raw, error) { return in, nil })
	var users bennu.SocketHandler
	users.Channel("room:*", d)

	control := http.NewServeMux()
	e := bennu.NewEndpoint(&bennu.EndpointOptions{Fallback: control, DrainTime: bennu.Unlimited, NoEpoll: noEpoll})
	e.Socket("/socket", &users, nil)
	control.HandleFunc("/rss", func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		fmt.Fprint(w, resident())
	})
	control.HandleFunc("/broadcast", func(http.ResponseWriter, *http.Request) {
		_ = e.Broadcast("room:all", "news", map[string]string{"text": strings.Repeat("x", 80)})
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	return e.Serve(ctx, ln)
}

// resident is this process's resident memory in bytes.
func resident() int {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(statm))[1])
	return pages * os.Getpagesize()
}

func measure(n int, noEpoll bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(self, "-serve", fmt.Sprintf("-no-epoll=%v", noEpoll))
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
	addr := strings.TrimSpace(line)

	// One connection first, so that what the server makes only once is not counted.
	warm, err := join(addr)
	if err != nil {
		return err
	}
	defer warm.Close()
	base, err := rss(addr)
	if err != nil {
		return err
	}
	conns := make([]net.Conn, 0, n)
	for i := range n {
		c, err := join(addr)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
		defer c.Close()
		conns = append(conns, c)
		if (i+1)%1000 == 0 {
			fmt.Fprintf(os.Stderr, "\r%d of %d connections joined", i+1, n)
		}
	}
	fmt.Fprintln(os.Stderr)
	idle, err := rss(addr)
	if err != nil {
		return err
	}
	for _, c := range conns {
		if err := write(c, `["1","2","room:all","echo",{"n":1}]`); err != nil {
			return err
		}
		if err := read(c); err != nil {
			return err
		}
	}
	if _, err := get(addr, "/broadcast"); err != nil {
		return err
	}
	for _, c := range conns {
		if err := read(c); err != nil {
			return err
		}
	}
	after, err := rss(addr)
	if err != nil {
		return err
	}
	fmt.Printf("%-40s %10s %16s\n", "", "RSS, MB", "per connection")
	fmt.Printf("%-40s %10.1f\n", "server with one connection", mb(base))
	fmt.Printf("%-40s %10.1f %13.2f KB\n", fmt.Sprintf("%d joined, idle", n), mb(idle), float64(idle-base)/1024/float64(n))
	fmt.Printf("%-40s %10.1f %13.2f KB\n", "after an echo and a broadcast on each", mb(after), float64(after-base)/1024/float64(n))
	return nil
}

func mb(bytes int) float64 { return float64(bytes) / (1 << 20) }

func rss(addr string) (int, error) {
	body, err := get(addr, "/rss")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(body)
}

func get(addr, path string) (string, error) {
	r, err := http.Get("http://" + addr + path)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

// join opens a connection and joins room:all. The client reads without a buffer, so
// that it can hold many.
func join(addr string) (net.Conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return nil, err
	}
	fmt.Fprintf(c, "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n", addr)
	var head []byte
	for !strings.HasSuffix(string(head), "\r\n\r\n") {
		var b [1]byte
		if _, err := io.ReadFull(c, b[:]); err != nil {
			return nil, err
		}
		head = append(head, b[0])
	}
	if !strings.HasPrefix(string(head), "HTTP/1.1 101") {
		return nil, errors.New(string(head))
	}
	if err := write(c, `["1","1","room:all","phx_join",{}]`); err != nil {
		return nil, err
	}
	return c, read(c)
}

// write sends a masked text frame of less than 126 bytes; a mask of zeros is one.
func write(c net.Conn, text string) error {
	_, err := c.Write(append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...))
	return err
}

// read takes one frame.
func read(c net.Conn) error {
	var head [4]byte
	if _, err := io.ReadFull(c, head[:2]); err != nil {
		return err
	}
	n := int64(head[1])
	if n == 126 {
		if _, err := io.ReadFull(c, head[2:]); err != nil {
			return err
		}
		n = int64(binary.BigEndian.Uint16(head[2:]))
	}
	_, err := io.CopyN(io.Discard, c, n)
	return err
}

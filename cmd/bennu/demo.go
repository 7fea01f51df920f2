package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/examples/hello"
)

//go:embed demo
var demoFiles embed.FS

func runDemo(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:4000", "`host:port` to serve on; port 0 picks a free one")
	open := flags.Bool("open", false, "open the page in the browser")
	if code, ok := parse(flags, args, stdout, stderr); !ok {
		return code
	}

	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		explainListen(stderr, *addr, err)
		return exitError
	}
	url := pageURL(ln.Addr())
	fmt.Fprintf(stdout, welcome, url)
	if *open {
		if err := openBrowser(url); err != nil {
			fmt.Fprintf(stderr, "The browser could not be opened (%v); please go to %s yourself.\n", err, url)
		}
	}
	return serveDemo(ctx, ln, stdout, stderr)
}

// serveDemo serves until ctx ends, and closes ln.
func serveDemo(ctx context.Context, ln net.Listener, stdout, stderr io.Writer) int {
	var users bennu.SocketHandler
	hello.Routes(&users)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{
		Fallback: demoPage(),
		Logger:   slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: dropStack})),
	})
	endpoint.Socket("/socket", &users, nil)

	served := make(chan error, 1)
	go func() { served <- endpoint.Serve(ctx, ln) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		fmt.Fprintln(stdout, "\nClosing the connections; press Ctrl+C again to stop at once.")
		err = <-served
	}
	if err != nil {
		fmt.Fprintf(stderr, "bennu demo: %v\n", err)
		return exitError
	}
	fmt.Fprintln(stdout, "Done. Open pages will find their way back when the demo runs again.")
	return exitOK
}

// dropStack keeps the log of a demo that has a crash button short.
func dropStack(_ []string, a slog.Attr) slog.Attr {
	if a.Key == "stack" {
		return slog.Attr{}
	}
	return a
}

const welcome = `
  bennu demo is at  %s

  Try first:
    1. Press "ping", and watch the frames go by on the right.
    2. Open the page in a second tab and talk to yourself in the chat room.
    3. Crash a bird, and see it come back while the others live on.

  The Go code behind the page is in examples/hello. Ctrl+C stops the demo.

`

// demoPage serves the embedded files. The page needs nothing from elsewhere and
// says so to the browser: whatever a chat message may hold, it cannot load a script.
func demoPage() http.Handler {
	root, err := fs.Sub(demoFiles, "demo")
	if err != nil {
		panic(err) // the directory is named in the embed directive
	}
	files := http.FileServerFS(root)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
			"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache") // the files carry no date to compare
		files.ServeHTTP(w, r)
	})
}

// pageURL is an address that a browser on this machine understands.
func pageURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// explainListen says why the demo cannot start and what to do about it.
func explainListen(w io.Writer, addr string, err error) {
	host, port, splitErr := net.SplitHostPort(addr)
	switch {
	case splitErr != nil:
		fmt.Fprintf(w, "bennu demo: --addr %q is not host:port; 127.0.0.1:4000 would be.\n", addr)
	case portTaken(err):
		other := "0"
		if n, err := strconv.Atoi(port); err == nil && n < 65535 {
			other = strconv.Itoa(n + 1)
		}
		fmt.Fprintf(w, "bennu demo: port %s is taken: another program serves on %s already.\n"+
			"Stop that program, or use another port:  --addr %s\n", port, addr, net.JoinHostPort(host, other))
	default:
		fmt.Fprintf(w, "bennu demo: cannot serve on %s: %v\n", addr, err)
	}
}

func portTaken(err error) bool {
	// Windows has a number of its own for it, which the syscall package of
	// other systems does not name.
	const wsaAddrInUse = syscall.Errno(10048)
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaAddrInUse)
}

// Package demo is "bennu demo": a page on which to try channels.
package demo

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/examples/hello"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

//go:embed page
var pageFiles embed.FS

// Command is "bennu demo".
func Command() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:        "demo",
		Short:      "Serve a page on which to try channels",
		SuggestFor: []string{"run", "serve", "server", "start"},
		Long:       "Serve a page on which to try channels, until a signal comes. The page loads nothing from other servers.\n" + aboutNodes,
		Example: `  bennu demo
  bennu demo --addr 127.0.0.1:0 --open
  bennu demo --pubsub nats+embed://:6222
  bennu demo --addr 127.0.0.1:4001 --pubsub 'nats+embed://:6223?peers=127.0.0.1:6222'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&f.addr, "addr", "127.0.0.1:4000", "`host:port` to serve on; port 0 picks a free one")
	c.Flags().BoolVar(&f.open, "open", false, "open the page in the browser")
	// The environment is not its default, which --help would show.
	c.Flags().StringVar(&f.pubsub, "pubsub", "", "`how` nodes reach each other, see above (default memory)")
	c.Flags().StringVar(&f.node, "node", "", "`name` of this node, unique among them (default the host's name and the port)")
	c.Flags().IntVar(&f.connections, "connections", 0, "largest number of `clients`; -1 for as many as the process may open files (default nine tenths of that)")
	return c
}

type flags struct {
	addr, pubsub, node string
	open               bool
	connections        int
}

func (f *flags) run(ctx context.Context, stdout, stderr io.Writer) error {
	c, err := parseCluster(f.pubsub, os.Getenv)
	if err == nil && f.node != "" {
		err = checkNode(f.node)
	}
	if err == nil && f.connections < bennu.Unlimited {
		err = fmt.Errorf("--connections is %d; use 1 or more, or -1 for no limit of the demo", f.connections)
	}
	if err != nil {
		return cli.Usagef("%w", err)
	}
	if err := cli.CheckAddr(f.addr); err != nil {
		return err
	}

	ln, err := net.Listen("tcp", f.addr)
	if err != nil {
		return cli.ListenError(f.addr, err)
	}
	name := f.node
	if name == "" {
		host, _ := os.Hostname() // without one the port is left
		name = nameNode(host, ln.Addr())
	}
	d := &demo{cluster: c, node: name, connections: f.connections, log: newLog(stderr)}
	if broker := c.broker(); broker != "" { // it may take a while
		fmt.Fprintf(stderr, "Looking for other nodes through %s.\n", broker)
	}
	if err := d.connect(ctx); err != nil {
		ln.Close()
		c.explain(stderr, name, err)
		return cli.Exit(cli.Failed)
	}
	url := pageURL(ln.Addr())
	fmt.Fprintf(stdout, aboutPage, url)
	c.introduce(stdout, name, cli.NextAddr(ln.Addr().String()), d.adapter)
	if d.history == nil {
		fmt.Fprint(stdout, keepsNothing)
	}
	fmt.Fprint(stdout, welcome)
	if f.open {
		if err := openBrowser(url); err != nil {
			fmt.Fprintf(stderr, "The browser could not be opened (%v); please go to %s yourself.\n", err, url)
		}
	}
	return d.serve(ctx, ln, stdout)
}

// A demo is one node.
type demo struct {
	cluster     *cluster
	node        string
	connections int // as in bennu.NodeLimits
	log         *slog.Logger
	adapter     pubsub.Adapter
	pubsub      *pubsub.PubSub
	history     *history.Log // nil if the nodes share no store
	here        *presence.Presence[hello.Here]
}

// connect connects to the other nodes, if --pubsub names any.
func (d *demo) connect(ctx context.Context) (err error) {
	if d.adapter, err = d.cluster.adapter(d.node, d.log); err != nil {
		return err
	}
	if d.pubsub, err = pubsub.New(ctx, &pubsub.Options{Adapter: d.adapter}); err != nil {
		return err
	}
	if err = d.keep(ctx); err != nil {
		return errors.Join(err, d.pubsub.Close(ctx))
	}
	d.here, err = presence.New[hello.Here](ctx, d.pubsub, &presence.Options[hello.Here]{
		Logger: d.log, Timing: presence.Fast(), // so that a killed node is noticed soon
		LeaveDelay: time.Second, // a page that is loaded again has not left
	})
	if err != nil {
		err = errors.Join(err, d.forget(ctx), d.pubsub.Close(ctx))
	}
	return err
}

// goodbye bounds, at the end, the sending of messages that wait for other nodes.
const goodbye = 5 * time.Second

// serve serves until ctx ends. It closes ln and the connection to other nodes.
func (d *demo) serve(ctx context.Context, ln net.Listener, stdout io.Writer) error {
	var users bennu.SocketHandler
	hello.Routes(&users, d.here)
	users.Channel("node:*", nodes(func() nodeState { return stateOf(d.node, d.cluster.broker(), d.pubsub.Health()) }, time.Second))
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{
		Fallback: demoPage(),
		Logger:   d.log,
		PubSub:   d.pubsub,
		History:  d.history,
		Secret:   d.cluster.secret,
		Limits:   bennu.NodeLimits{Connections: d.connections},
	})
	endpoint.OnShutdown(d.forget)
	endpoint.OnShutdown(func(context.Context) error { return d.here.Close() })
	endpoint.Socket("/socket", &users, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)}})

	served := make(chan error, 1)
	go func() { served <- endpoint.Serve(ctx, ln) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		fmt.Fprintln(stdout, "\nClosing the connections; press Ctrl+C again to stop at once.")
		err = <-served
	}
	// After the endpoint, since channels that end may send something to other nodes.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if err = errors.Join(err, d.pubsub.Close(last)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "Done. Open pages will find their way back when the demo runs again.")
	return err
}

const aboutPage = `
  bennu demo is at  %s

  Open it in a browser: whatever you press there, the page shows the Go handler
  that answers, beside the frames that it takes.

`

const welcome = `
  Try first:
    1. Press "ping × 20", and watch the frames go by.
    2. Open the page in a second tab and talk to yourself in the chat room.
    3. Cut the connection of the chat room, and see what comes back.
    4. Crash a bird, and see it come back while the others live on.

  The Go code behind the page is in examples/hello. Ctrl+C stops the demo.

`

const keepsNothing = `  Nothing is kept of the chat room: only a node alone, or nodes that meet through
  Redis, keep it. A page that was away misses what was said.
`

// aboutNodes is a part of what --help prints.
const aboutNodes = `
Several nodes share one chat room. --pubsub says how they reach each other:

  memory                                   not at all: this is the only node
  nats+embed://:6222?peers=host:port,...   through NATS servers in their own processes
  nats://host:4222, tls://                 through a NATS server, or several with commas between
  redis://host:6379, rediss://             through a Redis server

With memory and Redis, the last 100 messages of the room are kept for pages that were away.

Secrets are given in the environment, since others on the machine can see arguments:

  BENNU_PUBSUB   in place of --pubsub, as in redis://user:password@host:6379
  BENNU_SECRET   16 bytes or more, the same on all nodes. Nodes that do not have it are refused, and
                 any node can answer any long poll. With it, nats+embed without a host listens
                 on all interfaces; without it, on 127.0.0.1.`

// demoPage serves the embedded files. The page loads nothing from elsewhere and tells the browser so:
// no chat message can make it load a script.
func demoPage() http.Handler {
	root, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the directory is named in the embed directive
	}
	files := http.FileServerFS(root)
	handlers, err := handlersJSON()
	if err != nil {
		panic(err) // a test finds it
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
			"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache") // the files carry no date to compare
		if r.URL.Path == "/handlers.json" {
			h.Set("Content-Type", "application/json")
			_, _ = w.Write(handlers) // a browser that is gone needs none
			return
		}
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

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/redact"
)

// room is a joined topic of the server to be measured.
type room struct{ *bennu.Channel }

// text is the payload of its events.
type text struct {
	Text string `json:"text"`
}

func joinRoom(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
	return &room{ch}, bennu.Empty{}, nil
}

func (r *room) echo(_ context.Context, in text) (text, error) { return in, nil }

func (r *room) broadcast(_ context.Context, in text) (bennu.Empty, error) {
	return bennu.Empty{}, r.Broadcast("broadcast", in)
}

// collect collects garbage, so that readings of the memory of the process can be compared.
func (r *room) collect(context.Context, bennu.Empty) (bennu.Empty, error) {
	debug.FreeOSMemory()
	return bennu.Empty{}, nil
}

// serverOptions are the flags of "bennu bench server".
type serverOptions struct {
	addr                string
	json, noEpoll, prof bool
}

// endpoint has the channels that every phase needs. It has no limits on the number and the rate of
// clients; the limits on the memory of one connection stay.
func (o *serverOptions) endpoint(log *slog.Logger) *bennu.Endpoint {
	rooms := bennu.Define(joinRoom)
	bennu.On(rooms, "echo", (*room).echo)
	bennu.On(rooms, "broadcast", (*room).broadcast)
	bennu.On(rooms, "collect", (*room).collect)
	users := bennu.SocketHandler{Limits: bennu.Limits{Topics: bennu.Unlimited, JoinRate: bennu.Unlimited}}
	users.Channel("bench:*", rooms)
	options := &bennu.EndpointOptions{
		Logger:  log,
		NoEpoll: o.noEpoll,
		Limits:  bennu.NodeLimits{Connections: bennu.Unlimited, Connects: bennu.Unlimited, Joins: bennu.Unlimited},
		// No draining: during a shutdown clients that connect again would be counted, too.
		DrainTime: bennu.Unlimited,
	}
	if o.prof {
		profiles := http.NewServeMux()
		profiles.HandleFunc("/debug/pprof/", pprof.Index)
		profiles.HandleFunc("/debug/pprof/profile", pprof.Profile)
		options.Fallback = profiles
	}
	endpoint := bennu.NewEndpoint(options)
	endpoint.Socket("/socket", &users, nil)
	return endpoint
}

func serverCommand() *cobra.Command {
	var o serverOptions
	c := &cobra.Command{
		Use:   "server",
		Short: "Serve channels to be measured",
		Long: `Serve channels for "bennu bench", until a signal comes. Clients join topics bench:* and push "echo" with
{"text":"..."}, which is returned, or "broadcast", which goes to all subscribers of the topic. "collect"
makes the server collect its garbage. It has no limits on clients, so let only this machine reach it.

It prints its address and its process id when it serves, for the flags of "bennu bench", and at the end the
time of the garbage collector.`,
		Example: `  bennu bench server
  bennu bench server --addr 127.0.0.1:0 --json
  bennu bench server --pprof   # then: go tool pprof http://127.0.0.1:4050/debug/pprof/profile?seconds=5`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.serve(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&o.addr, "addr", "127.0.0.1:4050", "`host:port` to serve on; port 0 picks a free one")
	c.Flags().BoolVar(&o.json, "json", false, "print each of these lines as a JSON object")
	c.Flags().BoolVar(&o.noEpoll, "no-epoll", false, "read with a goroutine for each connection, as other systems than Linux do")
	c.Flags().BoolVar(&o.prof, "pprof", false, "serve profiles at /debug/pprof/, too")
	return c
}

func (o *serverOptions) serve(ctx context.Context, stdout, stderr io.Writer) error {
	if err := cli.CheckAddr(o.addr); err != nil {
		return err
	}
	// bennu notices silent clients itself. Keep-alive of the kernel would take four system calls
	// for each connection.
	listen := net.ListenConfig{KeepAlive: -1}
	ln, err := listen.Listen(ctx, "tcp", o.addr)
	if err != nil {
		return cli.ListenError(o.addr, err)
	}
	endpoint := o.endpoint(slog.New(redact.NewHandler(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))))
	where := struct {
		URL string `json:"url"`
		PID int    `json:"pid"`
	}{"ws://" + reachable(ln.Addr()) + "/socket", os.Getpid()}
	if o.json {
		err = json.NewEncoder(stdout).Encode(where)
	} else {
		_, err = fmt.Fprintf(stdout, "bennu bench server is at %s and has the process %d. In another terminal:\n\n  bennu bench %s --pid %d\n\n", where.URL, where.PID, where.URL, where.PID)
	}
	if err != nil {
		ln.Close()
		return err
	}
	if err := endpoint.Serve(ctx, ln); err != nil {
		return err
	}
	c := readCollector()
	if o.json {
		return json.NewEncoder(stdout).Encode(c)
	}
	_, err = fmt.Fprintf(stdout, "Garbage collection: %d cycles, %.2f s of CPU, pauses p50 %.0f µs, p99 %.0f µs, longest %.0f µs.\n",
		c.Cycles, c.CPU, c.PauseP50, c.PauseP99, c.PauseMax)
	return err
}

// reachable returns the address at which this machine reaches a listener on all interfaces.
func reachable(addr net.Addr) string {
	a, err := netip.ParseAddrPort(addr.String())
	if err != nil || !a.Addr().IsUnspecified() {
		return addr.String()
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port()).String()
}

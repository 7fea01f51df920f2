package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu"
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

// collect makes memory that is read from outside comparable.
func (r *room) collect(context.Context, bennu.Empty) (bennu.Empty, error) {
	debug.FreeOSMemory()
	return bennu.Empty{}, nil
}

// serverEndpoint has the channels that every phase needs, and no limit on how many
// clients come or how fast. What bounds the memory of one connection stays.
func serverEndpoint(log *slog.Logger) *bennu.Endpoint {
	rooms := bennu.Define(joinRoom)
	bennu.On(rooms, "echo", (*room).echo)
	bennu.On(rooms, "broadcast", (*room).broadcast)
	bennu.On(rooms, "collect", (*room).collect)
	users := bennu.SocketHandler{Limits: bennu.Limits{Topics: bennu.Unlimited, JoinRate: bennu.Unlimited}}
	users.Channel("bench:*", rooms)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{
		Logger: log,
		Limits: bennu.NodeLimits{Connections: bennu.Unlimited, Connects: bennu.Unlimited, Joins: bennu.Unlimited},
		// Who measures shutdown brings clients that come back; here nobody waits for it.
		DrainTime: bennu.Unlimited,
	})
	endpoint.Socket("/socket", &users, nil)
	return endpoint
}

func serverCommand() *cobra.Command {
	var addr string
	var asJSON bool
	c := &cobra.Command{
		Use:   "server",
		Short: "Serve channels to be measured",
		Long: `Serve channels for "bennu bench", until a signal comes. Clients join topics bench:*, push "echo" with
{"text":"..."} and get it back, or "broadcast", which goes to all subscribers of the topic. "collect" makes the server
collect its garbage. Nothing limits how many clients come or how fast; so serve it to this machine alone.

It prints its address and its process once it serves, for the flags of "bennu bench".`,
		Example: `  bennu bench server
  bennu bench server --addr 127.0.0.1:0 --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), addr, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&addr, "addr", "127.0.0.1:4050", "`host:port` to serve on; port 0 picks a free one")
	c.Flags().BoolVar(&asJSON, "json", false, "print address and process as one JSON object")
	return c
}

func serve(ctx context.Context, addr string, asJSON bool, stdout, stderr io.Writer) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot serve on %s: %w; --addr chooses another address", addr, err)
	}
	endpoint := serverEndpoint(slog.New(redact.NewHandler(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))))
	where := struct {
		URL string `json:"url"`
		PID int    `json:"pid"`
	}{"ws://" + ln.Addr().String() + "/socket", os.Getpid()}
	if asJSON {
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
	if !asJSON {
		fmt.Fprintln(stdout, "Done.")
	}
	return nil
}

// Package bench is the command "bennu bench": a load program for any server of the
// Phoenix Channels protocol, and a server to be measured.
//
// One goroutine drives all connections with epoll, so that the program itself takes little processor
// time and memory.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
)

// Command makes the command "bench".
func Command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:        "bench URL",
		Short:      "Load a server with clients and measure it",
		SuggestFor: []string{"benchmark", "load"},
		Long:       about,
		Example: `  bennu bench server                                            # in one terminal; it prints its process
  bennu bench ws://127.0.0.1:4050/socket --pid 1234             # in another: the whole tour
  bennu bench ws://127.0.0.1:4050/socket --connections 19000 --json
  bennu bench ws://127.0.0.1:4000/socket --app demo             # against bennu demo
  bennu bench ws://127.0.0.1:4050/socket --phases load --load-connections 200 --load-outstanding 4
  bennu bench ws://127.0.0.1:4011/socket --phases broadcast,ahead --topic 'room:{c}-{t}' \
    --broadcast-topic room:all --broadcast-event bc --broadcast-payload '{"body":"{text}"}'`,
		Args: cli.One("the URL of a server, such as ws://127.0.0.1:4050/socket,"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.flags(c)
	for flag, values := range map[string][]cobra.Completion{"app": slices.Sorted(maps.Keys(apps)), "phases": phaseNames} {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails for no flag of this name
	}
	c.AddCommand(serverCommand())
	return c
}

func (o *options) run(ctx context.Context, url string, stdout, stderr io.Writer) error {
	if err := o.complete(); err != nil {
		return cli.Usagef("%v", err)
	}
	t, err := parseTarget(ctx, url, o.foreign)
	if err != nil {
		return err
	}
	r := &Report{
		URL: t.url, App: o.appName, Start: time.Now().UTC().Format(time.RFC3339),
		Connections: o.connections, Topics: o.topics, Payload: o.payload, PID: o.pid,
	}
	show := newProgress(stderr)
	err = measure(ctx, o, t, r, show)
	show.end()
	r.finish(err)
	if r.Connect == nil && r.Error != "" && !o.json {
		return err // there is nothing to show
	}
	write := r.table
	if o.json {
		write = func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			return e.Encode(r)
		}
	}
	if err := write(stdout); err != nil {
		return err
	}
	if !r.Complete {
		return cli.Exit(cli.Failed)
	}
	return nil
}

// finish records how a run ended.
func (r *Report) finish(err error) {
	if errors.Is(err, context.Canceled) {
		r.Interrupted = true
	} else if err != nil {
		r.Error = err.Error()
	}
	r.Complete = err == nil && !r.Faults.any() && r.whole()
}

// whole reports whether all phases that ran are complete.
func (r *Report) whole() bool {
	for _, c := range []*Connect{r.Connect, r.Subscribe, r.Reconnect} {
		if c != nil && !c.Complete {
			return false
		}
	}
	for _, e := range []*Echo{r.Echo, r.Load} {
		if e != nil && !e.Complete {
			return false
		}
	}
	for _, b := range []*Broadcast{r.Broadcast, r.Ahead} {
		if b != nil && !b.Complete {
			return false
		}
	}
	return r.Connect != nil && (r.Slow == nil || r.Slow.Complete)
}

const about = `Load a server of the Phoenix Channels protocol with WebSocket clients and measure it: the processor
time of each operation, the memory of each connection, latencies, and all faults. It needs Linux. There are
these phases; --phases selects some of them:

  connect     all clients connect, each with one upgrade and --topics joins
  echo        pushes with replies at a fixed rate, spread over all connections ("open loop"). A latency counts
              from the time at which the push was due, so a stall of the server counts for all pushes that
              were due meanwhile
  load        pushes with replies, a fixed number outstanding for each sender ("closed loop"), for the
              processor time of an echo
  broadcast   one connection pushes an event that the channel broadcasts, and the next one when all
              subscribers have it
  ahead       the same with several broadcasts outstanding
  slow        the same while some subscribers stop reading. It counts with which codes these were closed (1013:
              their queue was full) and how much the server's memory grew; other figures leave these out
  reconnect   all connections are cut at once, connect again and join again

Broadcasts are numbered: each subscriber counts those that are missing, come twice or come out of order. "Until
the last had it" is the time from the push to the last delivery. The processor time of a join includes
connecting and the upgrade. A phase that lost something is marked INCOMPLETE; its figures cover only what was
not lost. Closed connections are counted by close code; "reset" and "end" are those without a close frame. A
connection that is refused is tried again after the delays of the stock clients.

Memory is resident memory, read before the start, when all clients are connected and idle, and after the
traffic. The memory of a connection is the growth divided by their number. Figures of the server need --pid.

The result is a table, or with --json one object with the same fields: durations in microseconds (_us) or
seconds, memory in bytes. Fields of phases that did not run are omitted. The exit code is 1 if something was
lost or the run was interrupted, and 2 for a mistake in the command line.

Addresses of other machines are refused without --i-own-the-target. A process holds about as many connections
as it may open files (ulimit -Hn); run several for more.`

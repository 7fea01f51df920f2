// Package bench is the command "bennu bench": a load program for any server of the
// Phoenix Channels protocol, and a server to be measured.
//
// All connections are driven by one goroutine over epoll, so that the program itself
// takes little of what it measures.
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

// finish notes how a run ended.
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

const about = `Load a server of the Phoenix Channels protocol with WebSocket clients, and print what it takes:
its processor time for each operation, its memory for each connection, latencies, and all that went
wrong. It needs Linux. The whole tour has these phases, of which --phases chooses:

  connect     all connect, with one upgrade and the joins of --topics each
  echo        pushes with replies at a fixed rate, spread over all connections. A latency counts from
              the moment the push was meant to be sent, so a server that stalls is charged with all that
              had to wait ("open loop")
  load        pushes with replies, a fixed number on their way for each sender ("closed loop"): for the
              processor time of an echo
  broadcast   one connection pushes an event that the channel broadcasts; the next is pushed when all
              subscribers have the last
  ahead       the same with several broadcasts on their way
  slow        the same while some subscribers stop reading. How they were closed is told (1013 is a
              queue that was full), and how much the server's memory grew; the rest is of the others
  reconnect   all connections are cut at once, connect again and join again

Broadcasts are numbered: what is missing, comes twice or in the wrong order is counted at every subscriber.
"Until the last had it" is from the push to the last subscriber's delivery. A join's processor time includes
connecting and the upgrade. A phase in which something was lost is marked INCOMPLETE, and its figures are
those of what was not lost. Closed connections are told by close code; "reset" and "end" are those
without a close frame. Refused tries are tried again after the pauses of stock clients.

Memory is resident memory, read before, when all are connected and idle, and after traffic; what
a connection takes is the growth divided by their number. Figures of the server need --pid.

At the end a table is printed, or with --json one object whose fields are those of the table: durations in
microseconds (_us) or seconds, memory in bytes; fields of phases that did not run are left out. The exit
code is 1 when something was lost or the run was interrupted, 2 when the command line cannot be understood.

Addresses of other machines are refused unless --i-own-the-target is given. A process may hold as many
connections as it may open files (ulimit -Hn), less a few; run several for more.`

package connect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/wire"
)

// exitTimeout is the exit code for an answer that did not come in time.
const exitTimeout = 3

// noLimit is a context without an end, for waits that end otherwise.
var noLimit = context.Background()

// Command is "bennu connect".
func Command() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:        "connect URL",
		Short:      "Talk to a server of Phoenix Channels from the terminal",
		SuggestFor: []string{"client", "dial"},
		Long: `Connect to a server of Phoenix Channels, join topics, push events, and show what the server
sends.

On a terminal it reads commands, with history and completion; the command "help" lists them.

Without a terminal, or with --json, --push, --count or --for, it has no prompt. It joins the
topics of --topic, pushes the events of --push, waits for the replies, and ends. With --no-wait
it does not wait for replies. Without --push it reads commands from standard input; if there are
none, it shows what the server sends until a signal comes.

The exit code is 0 on success; 1 if the server refused, replied with an error, or a channel
crashed; 2 for a mistake in the command line or in a line of standard input; 3 if an answer did
not come in time.

Secrets are read from files or from the variable ` + tokenEnv + `, because others on the machine
can see arguments. Files are read again for each connection and join. Their content is never
shown.`,
		Example: `  bennu connect ws://localhost:4000/socket
  bennu connect ws://localhost:4000/socket --topic room:lobby --join '{"name":"ibis"}'
  bennu connect ws://localhost:4000/socket --topic ping:a --push 'ping {}' --json
  bennu connect https://example.com/socket --token-file token --topic room:lobby --for 1m --json

  Supabase:
  bennu connect wss://PROJECT.supabase.co/realtime/v1 --param-file apikey=anon.key \
      --topic realtime:lobby --join-file access_token=user.jwt --join '{"config":{"broadcast":{"self":true}}}' \
      --push 'broadcast {"type":"broadcast","event":"shout","payload":{"body":"hi"}}'`,
		Args: cli.One("the URL of a server, such as ws://localhost:4000/socket,"),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := f.run(cmd, args[0])
			var bad *misuse
			if !errors.As(err, &bad) {
				return err
			}
			return cli.Usagef("%w", bad.error)
		},
	}
	o := c.Flags()
	o.SortFlags = false
	o.StringArrayVar(&f.topics, "topic", nil, "`topic` to join; may be given several times")
	o.StringVar(&f.join, "join", "", "`JSON` that the joins of --topic send")
	o.StringArrayVar(&f.joinFiles, "join-file", nil, "`name=file`: every join sends the content of the file under the name")
	o.BoolVar(&f.resume, "resume", false, "get the messages that were missed while the connection was lost, if the server keeps them")
	o.StringVar(&f.sinceParam, "since-param", "since", "with --resume the `name` under which joins send the position")
	o.StringArrayVar(&f.pushes, "push", nil, "event to push to the first --topic, `'EVENT JSON'`; may be given several times")
	o.BoolVar(&f.noWait, "no-wait", false, "do not wait for replies to pushes, only until the server has read them")
	o.BoolVar(&f.json, "json", false, "print one JSON object a line, for scripts")
	o.BoolVar(&f.raw, "raw", false, "print frames as they are on the wire")
	o.BoolVar(&f.full, "full", false, "print payloads whole, however long")
	o.BoolVar(&f.all, "all", false, "print heartbeats too")
	o.IntVar(&f.count, "count", 0, "end after this `number` of events from the server")
	o.DurationVar(&f.length, "for", 0, "end this long after the joins, such as 30s")
	o.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for a connection or a reply")
	o.StringArrayVar(&f.params, "param", nil, "parameter to send when connecting, `name=value`; nothing secret")
	o.StringArrayVar(&f.paramFiles, "param-file", nil, "the same with the content of a file, for secrets (`name=file`)")
	o.StringVar(&f.tokenFile, "token-file", "", "`file` with the token that is sent in a header, as auth_token of Phoenix 1.8\n(default "+tokenEnv+" of the environment); for a token in the URL: --param-file token=FILE")
	o.StringArrayVar(&f.headers, "header", nil, "header to send when connecting, `'Name: value'`; nothing secret")
	o.StringArrayVar(&f.headerFiles, "header-file", nil, "the same with the content of a file, for secrets (`name=file`)")
	o.StringVar(&f.origin, "origin", "", "`origin` of the page that connects, such as https://example.com")
	o.StringVar(&f.transport, "transport", "websocket", "`name`: websocket or longpoll")
	o.StringVar(&f.vsn, "vsn", "2", "`version` of the protocol: 1 or 2")
	for flag, values := range map[string][]cobra.Completion{"transport": {"websocket", "longpoll"}, "vsn": {"2", "1"}} {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // fails for no flag of this name
	}
	c.ValidArgsFunction = cobra.NoFileCompletions
	return c
}

// misuse is a mistake in the values of the flags.
type misuse struct{ error }

// flags has the flags of the command.
type flags struct {
	topics, pushes, params, paramFiles, joinFiles, headers, headerFiles []string

	join, sinceParam, tokenFile, origin, transport, vsn string

	json, raw, full, all, noWait, resume bool

	count           int
	length, timeout time.Duration
}

// maxShown is the number of characters of a payload that are shown without --full.
const maxShown = 500

// script reports whether the flags ask for a session that ends by itself.
func (f *flags) script() bool { return f.json || len(f.pushes) > 0 || f.count > 0 || f.length > 0 }

func (f *flags) run(cmd *cobra.Command, address string) error {
	t, err := newTarget(f, address, os.Getenv)
	if err != nil {
		return &misuse{err}
	}
	joins, pushes, err := f.lines()
	if err != nil {
		return &misuse{err}
	}
	if f.count < 0 || f.length < 0 {
		return &misuse{errors.New("--count and --for must not be below 0; without them there is no limit")}
	}
	p := &printer{all: f.all, limit: maxShown, mask: t.secrets.mask, out: cmd.OutOrStdout(), say: cmd.OutOrStdout(), bad: cmd.ErrOrStderr()}
	if f.full {
		p.limit = 0
	}
	switch {
	case f.json:
		p.form = formJSON
	case f.raw:
		p.form = formRaw
	}
	out, outTerminal := isTerminal(cmd.OutOrStdout())
	in, inTerminal := isTerminal(cmd.InOrStdin())
	p.on = outTerminal && !f.json && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	s := newSession(t, p)
	if inTerminal && outTerminal && !f.script() {
		return interact(cmd.Context(), s, in, out, joins)
	}
	// Only frames go to standard output.
	if p.form != formLine {
		p.say = cmd.ErrOrStderr()
	}
	sc := &script{session: s, joins: joins, pushes: pushes, count: f.count, length: f.length, noWait: f.noWait}
	if len(pushes) == 0 && !inTerminal {
		sc.in = cmd.InOrStdin()
	}
	if len(joins) == 0 && sc.in == nil {
		return &misuse{errors.New("there is nothing to do: --topic says what to join")}
	}
	return sc.run(cmd.Context())
}

// lines parses --topic, --join and --push as lines, so that mistakes are found before connecting.
func (f *flags) lines() (joins, pushes []line, err error) {
	payload := wire.Payload{}
	if f.join != "" {
		p := parser{text: f.join}
		if payload, err = p.payload(); err != nil {
			return nil, nil, inFlag("--join", err)
		}
	}
	for _, topic := range f.topics {
		if topic == "" {
			return nil, nil, fmt.Errorf("--topic is empty")
		}
		joins = append(joins, line{verb: "join", topic: topic, payload: payload})
	}
	if f.resume && (payload.Binary || len(payload.Data) > 0 && payload.Data[0] != '{') {
		return nil, nil, errors.New("with --resume the payload of a join is an object")
	}
	if f.join != "" && len(f.topics) == 0 {
		return nil, nil, errors.New("--join needs a --topic")
	}
	for _, text := range f.pushes {
		if strings.TrimSpace(text) == "" {
			return nil, nil, errors.New(`--push is empty; it is an event and its payload, as in --push 'shout {"body":"hi"}'`)
		}
		p := parser{text: text, joined: func(topic string) bool {
			for _, t := range f.topics {
				if t == topic {
					return true
				}
			}
			return false
		}}
		l, err := p.push(line{verb: "push"})
		switch {
		case err != nil:
			return nil, nil, inFlag("--push", err)
		case len(joins) == 0:
			return nil, nil, fmt.Errorf("--push needs a --topic")
		case l.topic == "":
			l.topic = f.topics[0]
		}
		pushes = append(pushes, l)
	}
	return joins, pushes, nil
}

// inFlag returns the error for a typo in the value of a flag.
func inFlag(flag string, err error) error {
	if bad, ok := err.(*typo); ok {
		return fmt.Errorf("%s cannot be understood:\n%s", flag, strings.TrimRight(bad.show(palette{}, scriptWidth), "\n"))
	}
	return fmt.Errorf("%s: %w", flag, err)
}

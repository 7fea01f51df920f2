package scaffold

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
)

// GenCommand is "bennu gen".
func GenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:        "gen",
		Short:      "Add a channel, a socket or a presence to a program",
		SuggestFor: []string{"add", "generate"},
		Long: `Add a channel, a socket or a presence to the program in this directory: a file, and a test
that passes. Other files are not changed; the command prints the lines to add to them.

A NAME is written as chat_room or ChatRoom.`,
		Example: `  bennu gen channel chat_room
  bennu gen socket user
  bennu gen presence chat_room`,
	}
	c.AddCommand(
		genCommand("channel", "a channel", `Write NAME.go and NAME_test.go: a channel with the topics "NAME:*", an event with a reply and
an event that is broadcast. With --history, broadcasts are kept, and clients whose connection was
cut get those that they have missed.`, "  bennu gen channel chat_room\n  bennu gen channel --topic 'chat:*' chat_room\n  bennu gen channel --history chat_room"),
		genCommand("socket", "a socket that asks for a token", `Write NAME_socket.go and NAME_socket_test.go: a socket at /NAME that asks for a token with the
id of the user, as "bennu token sign" and Phoenix.Token make them. phoenix.js sends the token in a
header from 1.8 on. Older clients and phones can only send it in the URL, where logs of proxies may
have it: let them with --token-param.`, "  bennu gen socket user\n  bennu gen socket --token-param token user"),
		genCommand("presence", "a presence", `Write NAME_presence.go and NAME_presence_test.go: a list of the users in the topics of a channel,
on all nodes.`, "  bennu gen presence chat_room"),
	)
	return c
}

type genFlags struct {
	kind       string
	topic, dir string
	tokenParam string
	history    bool
	force      bool
}

func genCommand(kind, what, long, example string) *cobra.Command {
	f := genFlags{kind: kind}
	c := &cobra.Command{
		Use:     kind + " NAME",
		Short:   "Add " + what + " to a program",
		Long:    long,
		Example: example,
		Args:    cli.One("a NAME, such as chat_room,"),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd.OutOrStdout(), args[0]) },

		ValidArgsFunction: cobra.NoFileCompletions,
	}
	if kind == "channel" {
		c.Flags().BoolVar(&f.history, "history", false, "keep the broadcasts of its topics")
		c.Flags().StringVar(&f.topic, "topic", "", "`pattern` of its topics (default NAME:*)")
	}
	if kind == "socket" {
		c.Flags().StringVar(&f.tokenParam, "token-param", "", "`name` of a parameter of the URL that may have the token instead, for older clients and phones")
	}
	c.Flags().StringVar(&f.dir, "dir", ".", "`directory` of the package to add it to")
	_ = c.MarkFlagDirname("dir") // fails for no flag of this name
	c.Flags().BoolVar(&f.force, "force", false, "overwrite files that exist")
	return c
}

func (f *genFlags) run(w io.Writer, name string) error {
	n, err := parseName(name)
	if err != nil {
		return err
	}
	if f.kind == "channel" {
		if err := n.setTopic(f.topic); err != nil {
			return err
		}
		n.History = f.history
	}
	if f.kind == "socket" {
		if err := n.checkSocketName(); err != nil {
			return err
		}
		if err := n.setTokenParam(f.tokenParam); err != nil {
			return err
		}
	}
	mod, err := findModule(f.dir)
	if err != nil {
		return err
	}
	have, err := readPackage(f.dir, mod)
	if err != nil {
		return err
	}
	n.Package = have.name
	files, err := render(f.kind, n, func(name string) string { return filepath.Join(f.dir, fileName(f.kind, name, n)) })
	if err != nil {
		return err
	}
	if err := checkFileName(filepath.Base(files[0].path)); err != nil {
		return err
	}
	if err := have.clash(files); err != nil {
		return err
	}
	if err := write(files, f.force); err != nil {
		return err
	}
	fmt.Fprintf(w, "Made %s and %s.\n", files[0].path, files[1].path)
	n.tell(w, f.kind, f.dir)
	tellModules(w, f.kind, mod)
	return nil
}

// fileName returns the name of a file: that of its template, with the name in place of the kind.
func fileName(kind, template string, n names) string {
	name := n.Name
	if kind != "channel" {
		name += "_" + kind
	}
	return name + strings.TrimPrefix(template, kind)
}

// tell prints the lines to add for the new files. It does not add them, since it does not know where they
// belong.
func (n names) tell(w io.Writer, kind, dir string) {
	place := func(file, otherwise string) string {
		if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
			return "to " + file
		}
		return otherwise
	}
	switch kind {
	case "channel":
		fmt.Fprintf(w, `
Add %s:

  users.Channel(%q, %sChannel())
`, place("routes.go", "where the socket handler gets its channels"), n.Topic, n.Lower)
		if n.History {
			n.tellHistory(w, dir)
		}
	case "socket":
		channels := "// " + n.Lower + "Socket.Channel(...) for each channel"
		if _, err := os.Stat(filepath.Join(dir, "routes.go")); err == nil {
			channels = "routes(" + n.Lower + "Socket) // the same channels as those of /socket"
		}
		fmt.Fprintf(w, `
Add %[1]s, with the keys of your tokens:

  keys, err := token.New([]string{os.Getenv("SECRET_KEY_BASE")}, nil)
  if err != nil {
  	return nil, err
  }
  %[2]sSocket := new%[3]sSocket(keys)
  %[4]s
  endpoint.Socket("/%[5]s", %[2]sSocket, %[2]sSocketOptions())

In a program of "bennu new" they go into newEndpoint. These lines need the imports os and
github.com/bennu-go/bennu/token. The secret signs tokens and checks those of clients; all
your servers have the same, and the tests need one, too. To make one, and a token of user 42
to try it with:

  export SECRET_KEY_BASE=$(openssl rand -base64 48)
  bennu token sign --salt "%[5]s socket" 42

A socket without a token, such as "/socket" of "bennu new", lets in everyone as before.
`, place("main.go", "where the endpoint is made"), n.Lower, n.Upper, channels, n.Name)
	case "presence":
		fmt.Fprintf(w, `
Add %s, before the sockets are mounted, and hand it on to the channels:

  here, err := new%sPresence(ctx, endpoint)
  if err != nil {
  	return nil, err
  }

In a program of "bennu new" these go into newEndpoint, which has ctx and endpoint. Give here to
the function that makes the channel, let the join send a message to its channel, and let the
client arrive when that comes:

  type arrived struct{}

  return &%s{ch}, bennu.Empty{}, ch.Send(arrived{}) // the end of the join

  bennu.OnInfo(d, func(c *%s, _ context.Context, _ arrived) error { // beside bennu.On
  	return arrive%s(c.Channel, here, userID)
  })

userID is a string of yours that says who the client is. After "bennu gen socket user" it is
userSocketID(c.Socket()). Tests of the channel make here, too: %s_presence_test.go shows how.
`, place("main.go", "where the endpoint is made"), n.Upper, n.Lower, n.Lower, n.Upper, n.Name)
	}
}

// tellHistory prints how the topics of a channel are kept.
func (n names) tellHistory(w io.Writer, dir string) {
	topic := fmt.Sprintf(`{Pattern: %q, Size: 1000, Age: time.Hour}`, n.Topic)
	if hasHistory(dir) {
		fmt.Fprintf(w, `
Add to the topics of your history:

  %s,
`, topic)
	} else {
		fmt.Fprintf(w, `
Add to main.go, before the endpoint is made, with ps as its PubSub:

  keep, err := history.New(ctx, ps, &history.Options{
  	Topics: []history.Topic{%s},
  })
  if err != nil {
  	return nil, err
  }

Then give History: keep to its EndpointOptions, beside PubSub: ps, and add after that:

  endpoint.OnShutdown(keep.Close) // after ps.Close, since the last one runs first

These lines need the imports time and github.com/bennu-go/bennu/history. The history is in memory;
nodes that share clients need a Store, such as that of history/redishistory.
`, topic)
	}
	fmt.Fprint(w, `
A client gets what it has missed if it sends the position of the last broadcast with each join. With
phoenix.js:

  const params = {since: null}
  const channel = socket.channel(topic, params)
  channel.onMessage = (event, payload, ref) => { if (/:/.test(ref)) params.since = ref; return payload }
`)
}

// hasHistory reports whether a file of a directory imports package history.
func hasHistory(dir string) bool {
	paths, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	return slices.ContainsFunc(paths, func(path string) bool {
		text, err := os.ReadFile(path)
		return err == nil && !strings.HasSuffix(path, "_test.go") && bytes.Contains(text, []byte(`"`+bennuPath+`/history"`))
	})
}

// tellModules prints the requirements that the module lacks.
func tellModules(w io.Writer, kind string, mod module) {
	fmt.Fprint(w, "\nThen:\n\n")
	switch {
	case mod.path == bennuPath:
	case mod.versions[bennuPath] == "":
		if src, err := findSource(""); err == nil && src.dir != "" { // there may be no version yet
			fmt.Fprintf(w, "  go mod edit -replace '%s=%s'\n  go mod tidy\n", bennuPath, src.dir)
		} else {
			fmt.Fprintf(w, "  go get %s@latest\n", bennuPath)
		}
	case kind == "socket" && mod.versions["golang.org/x/crypto"] == "":
		fmt.Fprint(w, "  go mod tidy      # package token needs golang.org/x/crypto\n")
	}
	fmt.Fprint(w, "  go test ./...\n")
}

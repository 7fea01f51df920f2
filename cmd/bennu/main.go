// Command bennu is a tool for Phoenix Channels.
//
//	bennu demo [--addr host:port] [--open] [--pubsub where] [--node name]
//
// demo serves a page on which to try channels; see "bennu help".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/bennu-go/bennu/internal/redact"
)

// Exit codes, as flag and the shell use them.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; from then on signals do again what
	// they do by default, so that a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// A command is one word after "bennu".
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, args []string, stdout, stderr io.Writer) int
}

var commands = []command{
	{"demo", "serve a page on which to try channels", runDemo},
}

// run is main without the process: it returns the exit code, when ctx ends at
// the latest.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	switch name := args[0]; name {
	case "help", "-h", "-help", "--help":
		usage(stdout)
		return exitOK
	default:
		for _, c := range commands {
			if c.name == name {
				return c.run(ctx, args[1:], stdout, stderr)
			}
		}
		fmt.Fprintf(stderr, "bennu: there is no command %q.\n\n", name)
		usage(stderr)
		return exitUsage
	}
}

func usage(w io.Writer) {
	fmt.Fprint(w, "bennu is Phoenix Channels for Go.\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  bennu %-8s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "  bennu help     show this\n\nEach command explains its flags with -h.\n")
}

// parse reads the flags of a command that takes nothing else. When it reports
// false, the command ends with code. -h shows more below the flags.
func parse(flags *flag.FlagSet, more string, args []string, stdout, stderr io.Writer) (code int, ok bool) {
	flags.SetOutput(io.Discard) // what Parse prints lacks the way out
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		// A URL that lost its flag may have a password.
		err = fmt.Errorf("unexpected argument %q", redact.Text(flags.Arg(0)))
	}
	if err == nil {
		return exitOK, true
	}
	out, code := stderr, exitUsage
	if errors.Is(err, flag.ErrHelp) {
		out, code = stdout, exitOK
	} else {
		fmt.Fprintf(out, "bennu %s: %v\n\n", flags.Name(), err)
	}
	fmt.Fprintf(out, "Usage: bennu %s [flags]\n\n", flags.Name())
	flags.SetOutput(out)
	flags.PrintDefaults()
	if code == exitOK {
		fmt.Fprint(out, more)
	}
	return code, false
}

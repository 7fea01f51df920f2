// Command bennu is a tool for Phoenix Channels: see "bennu help".
//
// Each command is a package in internal that exports Command.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/cmd/bennu/internal/bench"
	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/cmd/bennu/internal/conformance"
	"github.com/bennu-go/bennu/cmd/bennu/internal/connect"
	"github.com/bennu-go/bennu/cmd/bennu/internal/demo"
	"github.com/bennu-go/bennu/cmd/bennu/internal/scaffold"
	"github.com/bennu-go/bennu/cmd/bennu/internal/token"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end. After it signals have their default effect
	// again, so a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process: it returns the exit code. It ends when ctx ends.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return cli.Run(ctx, newRoot(stdin, stdout, stderr), args)
}

// newRoot makes the command bennu with its subcommands.
func newRoot(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	root := cli.Root(stdin, stdout, stderr,
		bench.Command(),
		conformance.Command(),
		connect.Command(),
		demo.Command(),
		scaffold.GenCommand(),
		manCommand(),
		scaffold.NewCommand(),
		token.Command(),
		versionCommand(),
	)
	info, _ := debug.ReadBuildInfo()
	root.Version = version(info) // gives it the flag --version
	root.SetVersionTemplate("{{.Version}}\n")
	return root
}

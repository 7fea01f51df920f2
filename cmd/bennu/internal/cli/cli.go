// Package cli runs the commands of bennu, with their errors and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/internal/redact"
)

// Exit codes. Misuse is the one that package flag uses, too.
const (
	OK     = 0
	Failed = 1
	Misuse = 2
)

// An Exit ends a command with this code and without an error message.
type Exit int

// Error is never shown.
func (e Exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// misuse is a mistake in the command line.
type misuse struct {
	error
	advice
}

// advice is a line that Run prints below an error of the command line.
type advice int

const (
	seeFlags    advice = iota // how to list the flags
	seeCommands               // how to list the commands
	showUsage                 // the commands themselves
	none                      // no line, since the error says what to write
)

// Usagef returns an error for a mistake in the command line. Run then says how to list the flags, and
// returns [Misuse].
func Usagef(format string, args ...any) error { return misuse{fmt.Errorf(format, args...), seeFlags} }

// Root makes the command "bennu" with these subcommands, "help" and "completion". It can be run once.
func Root(in io.Reader, out, errOut io.Writer, commands ...*cobra.Command) *cobra.Command {
	root := &cobra.Command{
		Use:   "bennu",
		Short: "Phoenix Channels for Go",
		Long:  "bennu is Phoenix Channels for Go.",
		Example: `  bennu demo
  bennu help demo`,
		SilenceErrors: true, // Run prints them
		SilenceUsage:  true,
	}
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetFlagErrorFunc(flagMistake)
	// The usage of a command that only has subcommands does not show it as one to call.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", `{{if and .Runnable (not (index .Annotations "`+holder+`"))}}`, 1))
	root.AddCommand(commands...)
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd() // after SetOut, since it keeps the writer
	strict(root)
	return root
}

// holder marks a command that only has subcommands.
const holder = "holder"

// strict makes it a misuse to give a command arguments that it does not take, or to call a command that
// only has subcommands. Without it, cobra would report the first as a command that failed, and the second
// would succeed.
func strict(c *cobra.Command) {
	check := c.Args
	if check == nil || c.HasSubCommands() && !c.Runnable() {
		check = noArguments
	}
	if c.Args == nil && !c.HasSubCommands() && c.ValidArgsFunction == nil {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if err := swallowed(c); err != nil {
			return err
		}
		err := check(c, args)
		if m := (misuse{}); err == nil || errors.As(err, &m) {
			return err
		}
		return Usagef("%s", redact.Text(err.Error())) // an argument may be a mistyped password
	}
	if c.HasSubCommands() && !c.Runnable() {
		c.RunE = func(c *cobra.Command, _ []string) error {
			if c.HasParent() {
				return misuse{fmt.Errorf("a command is missing: %s", listed(c)), none}
			}
			return misuse{errors.New("a command is missing"), showUsage}
		}
		c.Annotations = map[string]string{holder: "yes"}
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// listed returns the names of the subcommands of a command, as in "a, b or c".
func listed(c *cobra.Command) string {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]...",
		Short:   "Show what a command does",
		Long:    "Show what bennu or one of its commands does, as the flag --help does.",
		Example: "  bennu help\n  bennu help demo",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				if len(rest) == 0 {
					rest = args
				}
				return unknownCommand(c, strings.Join(args, " "), rest[0])
			}
			c.InitDefaultHelpFlag()
			c.InitDefaultVersionFlag()
			return c.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			if c, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, sub := range c.Commands() {
					if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), begun) {
						names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// noArguments is for commands without arguments. For one that only has subcommands, an argument is
// a subcommand that it does not have.
func noArguments(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasSubCommands():
		return unknownCommand(c, args[0], args[0])
	}
	return unexpected(args[0])
}

// One is for commands with exactly one argument, described by what, as in "a NAME, such as chat".
func One(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s is missing", what)
		}
		return AtMostOne(c, args)
	}
}

// AtMostOne is for commands with one argument or none.
func AtMostOne(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return unexpected(args[1])
	}
	return nil
}

// Run runs root with args and returns the exit code. It ends when ctx ends.
func Run(ctx context.Context, root *cobra.Command, args []string) int {
	root.SetArgs(append([]string{}, args...)) // nil would stand for the arguments of the process
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return OK
	}
	var code Exit
	if errors.As(err, &code) {
		return int(code)
	}
	errOut := root.ErrOrStderr()
	fmt.Fprintf(errOut, "%s: %s\n", c.CommandPath(), strings.TrimSuffix(err.Error(), "\n"))
	var m misuse
	if !errors.As(err, &m) {
		return Failed
	}
	help := root.Name() + " help"
	if c.Name() != "help" {
		help += strings.TrimPrefix(c.CommandPath(), root.Name())
	}
	switch m.advice {
	case seeFlags: // the whole list would hide the error
		fmt.Fprintf(errOut, "\"%s\" lists the flags.\n", help)
	case seeCommands:
		fmt.Fprintf(errOut, "\"%s\" lists the commands.\n", help)
	case showUsage:
		fmt.Fprintf(errOut, "\n%s", c.UsageString())
	}
	return Misuse
}

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a device of the same kind
	return err != nil || !os.SameFile(info, null)
}

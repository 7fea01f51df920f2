// Package cli is what the commands of bennu share: how they are run, and how they end.
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

// Exit codes, as flag and the shell use them.
const (
	OK     = 0
	Failed = 1
	Misuse = 2
)

// An Exit ends a command that has said all there is to say with this code.
type Exit int

// Error is never shown.
func (e Exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// misuse is a command line that cannot be understood.
type misuse struct {
	error
	advice
}

// advice is what is shown below the error of a command line.
type advice int

const (
	seeFlags    advice = iota // where the flags are explained
	seeCommands               // where the commands are listed
	showUsage                 // the commands themselves
	none                      // nothing: the error says what to write
)

// Usagef is the error of a command line that cannot be understood. It ends the command
// with [Misuse], and tells where the flags are explained.
func Usagef(format string, args ...any) error { return misuse{fmt.Errorf(format, args...), seeFlags} }

// Root makes the command "bennu" of commands, and adds "help" and "completion". It is
// good for one [Run].
func Root(in io.Reader, out, errOut io.Writer, commands ...*cobra.Command) *cobra.Command {
	root := &cobra.Command{
		Use:   "bennu",
		Short: "Phoenix Channels for Go",
		Long:  "bennu is Phoenix Channels for Go.",
		Example: `  bennu demo
  bennu help demo`,
		SilenceErrors: true, // Run tells of them
		SilenceUsage:  true,
	}
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetFlagErrorFunc(flagMistake)
	// What only holds other commands is not shown as one that can be called.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", `{{if and .Runnable (not (index .Annotations "`+holder+`"))}}`, 1))
	root.AddCommand(commands...)
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd() // writes to what out is now
	strict(root)
	return root
}

// holder marks a command that only holds others.
const holder = "holder"

// strict makes arguments that a command does not take, and a call of a command that
// only holds others, a misuse. Cobra does not tell the first from a command that
// failed, and lets the second succeed.
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

// listed names the commands below another, as in "a, b or c".
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

// noArguments lets a command have no arguments; one that only holds others names a
// command that it does not have.
func noArguments(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasSubCommands():
		return unknownCommand(c, args[0], args[0])
	}
	return unexpected(args[0])
}

// One lets a command have exactly one argument. What says which, as in "a NAME, such as chat".
func One(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s is missing", what)
		}
		return AtMostOne(c, args)
	}
}

// AtMostOne lets a command have one argument or none.
func AtMostOne(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return unexpected(args[1])
	}
	return nil
}

// Run runs root with args until it is done, when ctx ends at the latest, and returns
// the exit code.
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
	case seeFlags: // all of them would hide what is said
		fmt.Fprintf(errOut, "\"%s\" lists the flags.\n", help)
	case seeCommands:
		fmt.Fprintf(errOut, "\"%s\" lists the commands.\n", help)
	case showUsage:
		fmt.Fprintf(errOut, "\n%s", c.UsageString())
	}
	return Misuse
}

// IsTerminal says whether a stream is a terminal, where somebody sits.
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

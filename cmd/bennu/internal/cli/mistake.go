package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bennu-go/bennu/internal/redact"
)

// meant adds names that are close to a mistyped word to an error, if there are any.
func meant(text string, names []string, otherwise advice) error {
	if len(names) == 0 || len(names) > 3 {
		return misuse{errors.New(text), otherwise}
	}
	return misuse{fmt.Errorf("%s; is %s meant?", text, strings.Join(names, " or ")), none}
}

// unknownCommand is the error of a subcommand that c does not have. The typed word is masked if it
// looks like a secret.
func unknownCommand(c *cobra.Command, typed, word string) error {
	var near []string
	for _, sub := range c.Commands() {
		if sub.Hidden {
			continue
		}
		near = append(near, sub.Name())
		if slices.Contains(sub.SuggestFor, strings.ToLower(word)) {
			near = []string{sub.Name()}
			word = sub.Name()
			break
		}
	}
	near = nearest(word, near)
	for i := range near {
		near[i] = strconv.Quote(near[i])
	}
	return meant(redact.Text(fmt.Sprintf("there is no command %q", typed)), near, seeCommands)
}

// unexpected is the error for an additional argument. It masks secrets, since the argument may be a URL
// with a password whose flag is missing.
func unexpected(arg string) error {
	if name := strings.TrimLeft(arg, "–—"); name != arg && name != "" { // as text processors write --
		return Usagef("unexpected argument %q; a flag begins with two plain dashes: --%s", redact.Text(arg), redact.Text(name))
	}
	return Usagef("unexpected argument %q", redact.Text(arg))
}

// flagMistake says what is wrong with a flag, and what to write instead.
func flagMistake(c *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag(c, unknown)
	}
	if bad, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		name, _, _ := strings.Cut(strings.Trim(bad.GetSpecifiedFlag(), "-"), "=")
		return meant(redact.Text(err.Error()), nearFlags(c, name), seeFlags)
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return Usagef("flag needs an argument: %s", withValue(missing.GetFlag()))
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return Usagef("--%s %q %s", bad.GetFlag().Name, redact.Text(bad.GetValue()), wrongValue(bad))
	}
	return Usagef("%s", redact.Text(err.Error()))
}

// withValue returns a flag with the name of its value, such as --addr host:port.
func withValue(f *pflag.Flag) string {
	value, _ := pflag.UnquoteUsage(f)
	return "--" + f.Name + " " + value
}

// wrongValue says why a flag cannot have a value.
func wrongValue(bad *pflag.InvalidValueError) string {
	value, name := bad.GetValue(), bad.GetFlag().Name
	kind := bad.GetFlag().Value.Type()
	switch {
	case errors.Is(bad, strconv.ErrRange):
		return "is too large or too small a number"
	case kind == "int":
		return fmt.Sprintf("is no whole number; write --%s 10, for example", name)
	case kind == "float64":
		return fmt.Sprintf("is no number; write --%s 10, for example", name)
	case kind == "bool":
		return fmt.Sprintf("is neither true nor false; --%s alone turns it on", name)
	case kind != "duration":
		return "cannot be read: " + redact.Text(bad.Unwrap().Error())
	}
	if _, err := time.ParseDuration(value + "s"); err == nil {
		return fmt.Sprintf("has no unit; write %ss for seconds, or ms, m or h", value)
	}
	return fmt.Sprintf("is no duration; write --%s 30s, for example, or 500ms, 5m, 1h30m", name)
}

// unknownFlag is the error of a flag that a command does not have.
func unknownFlag(c *cobra.Command, err *pflag.NotExistError) error {
	text, name := redact.Text(err.Error()), err.GetSpecifiedName()
	if group := err.GetSpecifiedShortnames(); group != "" { // one dash: -topic
		name, _, _ = strings.Cut(group, "=")
		if strings.ContainsAny(name[:1], "0123456789.") {
			return misuse{fmt.Errorf("%s; write an argument that begins with a dash after --, as in: -- -%s", text, redact.Text(group)), none}
		}
	}
	near := nearFlags(c, name)
	if len(near) > 0 {
		return meant(text, near, seeFlags)
	}
	switch owners := withFlag(c.Root(), name); len(owners) {
	case 1:
		return misuse{fmt.Errorf("%s; %s has it", text, owners[0]), none}
	case 2, 3:
		return misuse{fmt.Errorf("%s; %s have it", text, strings.Join(owners, " and ")), none}
	}
	return misuse{errors.New(text), seeFlags}
}

// nearFlags returns the flags of a command whose names are closest to a mistyped one.
func nearFlags(c *cobra.Command, typed string) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	near := nearest(strings.ReplaceAll(typed, "_", "-"), names)
	for i := range near {
		near[i] = "--" + near[i]
	}
	return near
}

// nearest returns the names that are closest to a mistyped one, up to a distance of two. A missing
// or an additional end counts as one.
func nearest(typed string, names []string) (near []string) {
	const longest = 64
	typed = strings.ToLower(typed)
	if typed == "" || len(typed) > longest {
		return nil
	}
	least := 2
	if len(typed) < 5 {
		least = 1
	}
	for _, name := range names {
		d := distance(typed, name)
		if len(typed) > 2 && strings.HasPrefix(name, typed) || len(name) > 2 && strings.HasPrefix(typed, name) {
			d = 1
		}
		switch {
		case d < least:
			near, least = []string{name}, d
		case d == least:
			near = append(near, name)
		}
	}
	return near
}

// withFlag returns the commands below c that have a flag with this name.
func withFlag(c *cobra.Command, name string) (paths []string) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.LocalFlags().Lookup(name) != nil {
			paths = append(paths, strconv.Quote(sub.CommandPath()))
		}
		paths = append(paths, withFlag(sub, name)...)
	}
	return paths
}

// distance counts the letters to add, remove, change, or swap with the next one, to make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			change := 1
			if x[i-1] == y[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}

// swallowed finds a flag that was taken for the value of the one before it, as in
// --topic --json.
func swallowed(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		taken := slices.IndexFunc(values, func(v string) bool {
			name, isFlag := strings.CutPrefix(v, "--")
			name, _, _ = strings.Cut(name, "=")
			return isFlag && c.Flags().Lookup(name) != nil
		})
		if taken >= 0 && err == nil {
			err = Usagef("flag needs an argument: %s; %s stands in its place", withValue(f), redact.Text(values[taken]))
		}
	})
	return err
}

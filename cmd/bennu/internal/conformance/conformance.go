// Package conformance is the command "bennu conformance": it runs the wire cases against a server.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	wire "github.com/bennu-go/bennu/internal/conformance"
	"github.com/bennu-go/bennu/internal/redact"
)

// Command is "bennu conformance".
func Command() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:        "conformance URL",
		Short:      "Run the wire cases against a server",
		SuggestFor: []string{"test"},
		Long: `Run the wire cases of the Phoenix Channels protocol against the server at URL, one after the
other, and show where its answers differ. Phoenix passes all of them. If a case fails, the exit
code is 1.

URL has a host and a port, as in http://127.0.0.1:4011; the cases have their own paths and use
plain HTTP. The server must run the application of the cases, which is in the folder
conformance/fixture of bennu; "make fixture" serves it.`,
		Example: `  bennu conformance http://127.0.0.1:4011
  bennu conformance --run '^LP-' http://127.0.0.1:4011
  bennu conformance --json http://127.0.0.1:4011
  bennu conformance --list`,
		Args: cli.AtMostOne,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },

		ValidArgsFunction: cobra.NoFileCompletions,
	}
	c.Flags().StringVar(&f.pattern, "run", "", "run only cases whose id or description fits the `regexp`")
	c.Flags().BoolVar(&f.json, "json", false, "print a JSON object for each case, one on a line")
	c.Flags().BoolVar(&f.list, "list", false, "list the cases instead of running them")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show the cases that pass too")
	return c
}

type flags struct {
	pattern             string
	json, list, verbose bool
}

func (f *flags) run(cmd *cobra.Command, args []string) error {
	cases, err := f.cases()
	if err != nil {
		return err
	}
	p := &printer{out: cmd.OutOrStdout(), json: f.json, verbose: f.verbose}
	if f.list {
		if len(args) > 0 {
			return cli.Usagef("--list takes no URL")
		}
		return p.list(cases)
	}
	if len(args) == 0 {
		return cli.Usagef("the URL of a server is missing, such as http://127.0.0.1:4011")
	}
	target, err := parseURL(args[0])
	if err != nil {
		return err
	}
	if err := reach(cmd.Context(), target); err != nil {
		return err
	}
	if errOut := cmd.ErrOrStderr(); cli.IsTerminal(errOut) && !f.json {
		p.progress = errOut
	}
	return drive(cmd.Context(), target, cases, p)
}

// cases returns the cases that match the pattern.
func (f *flags) cases() ([]wire.Case, error) {
	pattern, err := regexp.Compile(f.pattern)
	if err != nil {
		return nil, cli.Usagef("--run: %w", err)
	}
	cases, err := wire.Load()
	if err != nil {
		return nil, err
	}
	cases = slices.DeleteFunc(cases, func(c wire.Case) bool { return !pattern.MatchString(c.ID) && !pattern.MatchString(c.Given) })
	if len(cases) == 0 {
		return nil, cli.Usagef("--run %q fits no case; --list shows all", f.pattern)
	}
	return cases, nil
}

// parseURL returns the host and port of a URL.
func parseURL(text string) (target string, err error) {
	if text = strings.TrimSpace(text); !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", cli.Usagef("the URL cannot be read; it looks like http://127.0.0.1:4011")
	case u.Scheme != "http" && u.Scheme != "ws":
		return "", cli.Usagef("the URL begins with %s://, and the cases use plain http://", redact.Text(u.Scheme))
	case u.User != nil, u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return "", cli.Usagef("the URL has more than a host and a port; the cases bring their own paths")
	case u.Hostname() == "":
		return "", cli.Usagef("the URL has no host; it looks like http://127.0.0.1:4011")
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", cli.Usagef("the URL has the port %s; a port is a number from 1 to 65535", port)
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// reach connects once, so that a server that does not answer is one error, and not one for each case.
func reach(ctx context.Context, target string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		return fmt.Errorf("no server answers: %w", err)
	}
	return conn.Close()
}

// drive runs the cases one after the other, in their order, since they share topics.
func drive(ctx context.Context, target string, cases []wire.Case, p *printer) error {
	for i, c := range cases {
		p.begin(i, len(cases), c)
		err := wire.Run(ctx, target, c)
		if ctx.Err() != nil {
			p.clear()
			return errors.New("stopped before the end")
		}
		if err := p.end(c, err); err != nil {
			return err
		}
	}
	if err := p.summary(len(cases)); err != nil {
		return err
	}
	if p.failed > 0 {
		return cli.Exit(cli.Failed)
	}
	return nil
}

// A printer shows the results of the cases.
type printer struct {
	out           io.Writer
	progress      io.Writer // a terminal, or nil
	json, verbose bool
	failed        int
}

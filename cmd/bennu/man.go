package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write manual pages into a directory",
		Long:    "Write a manual page for each command into the directory DIR. DIR is made if it does not exist.",
		Example: "  bennu man ~/.local/share/man/man1 && man bennu-demo",
		Args:    cli.One("a directory, such as ~/.local/share/man/man1,"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			if err := writePages(root, args[0]); err != nil {
				return fmt.Errorf("cannot write the pages: %w", err)
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
}

// writePages writes the pages of c and its subcommands.
func writePages(c *cobra.Command, dir string) error {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			if err := writePages(sub, dir); err != nil {
				return err
			}
		}
	}
	long := c.Long
	defer func() { c.Long = long }()
	// Four blanks keep the lines of a list as they are; two would run them together.
	c.Long = strings.ReplaceAll(long, "\n  ", "\n    ")
	var page bytes.Buffer
	if err := doc.GenMan(c, &doc.GenManHeader{Source: "bennu", Manual: "bennu"}, &page); err != nil {
		return err
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
	return os.WriteFile(filepath.Join(dir, name), undated(page.Bytes()), 0o666)
}

// undated removes the date from a page, so that the pages are the same whenever they are made.
func undated(page []byte) []byte {
	head, rest, _ := bytes.Cut(page, []byte(".SH NAME"))
	head = regexp.MustCompile(`(\.TH "[^"]*" "1") "[^"]*"`).ReplaceAll(head, []byte(`$1 ""`))
	return slices.Concat(head, []byte(".SH NAME"), rest)
}

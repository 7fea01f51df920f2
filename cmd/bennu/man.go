package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write manual pages into a directory",
		Long:    "Write a manual page of each command into the directory DIR, which is made when it does not exist.",
		Example: "  bennu man ~/.local/share/man/man1 && man bennu-demo",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			// The same pages whenever they are made; the date is of no use to a reader.
			header := &doc.GenManHeader{Source: "bennu", Manual: "bennu", Date: &time.Time{}}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("cannot write the pages: %w", err)
			}
			return nil
		},
	}
}

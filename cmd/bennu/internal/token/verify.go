package token

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	phx "github.com/bennu-go/bennu/token"
)

func verifyCommand() *cobra.Command {
	var f keyFlags
	var maxAge string
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Verify a token and print its content",
		Long: `Verify a token and print its content. The token may be signed or encrypted, and is read from
FILE or from standard input. If it is expired, invalid or missing, the exit code is 1.

` + secretOnly,
		Example: `  bennu token verify --salt "user auth" token.txt
  bennu token verify --salt "user auth" --secret-file new.txt --secret-file old.txt --json < token.txt`,
		Args: cli.AtMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			var opts []phx.Option
			if maxAge != "" {
				age, err := parseAge(maxAge)
				if err != nil {
					return err
				}
				opts = append(opts, phx.MaxAge(age))
			}
			now := time.Now()
			keys, err := f.keys(func() time.Time { return now })
			if err != nil {
				return err
			}
			tok, err := readToken(cmd, args)
			if err != nil {
				return err
			}
			claims, refused := check(keys, f.salt, tok, opts)
			r := report{now: now, Valid: new(refused == nil)}
			if refused == nil {
				r.claims(claims)
			} else {
				r.refuse(refused)
			}
			if claims != nil {
				r.SignedAt = stamp(claims.SignedAt)
			}
			if asJSON {
				err = r.print(cmd.OutOrStdout())
			} else if refused == nil {
				fmt.Fprintln(cmd.OutOrStdout(), "The token is valid.")
				r.tell(cmd.OutOrStdout())
			} else {
				why := r.why()
				if r.SignedAt != "" {
					why = ": it was signed at " + r.SignedAt + r.away(r.SignedAt)
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "The token is %s%s.\n", r.Reason, why)
			}
			if err == nil && refused != nil {
				err = cli.Exit(cli.Failed)
			}
			return err
		},
	}
	f.add(c)
	c.Flags().StringVar(&maxAge, "max-age", "", "how `long` after signing it is valid, instead of the time in the token: 90s, 24h or infinity")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return c
}

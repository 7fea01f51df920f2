package token

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	phx "github.com/bennu-go/bennu/token"
)

func inspectCommand() *cobra.Command {
	var f keyFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "inspect [FILE]",
		Short: "Show the content of a token without verifying it",
		Long: `Show the content of a token WITHOUT VERIFYING IT: anybody can make a token with any content.
The token is read from FILE or from standard input. With --salt and a secret it also says
whether the token verifies; if it does not, the exit code is 1.

An encrypted token can only be shown with its secret.

` + secretOnly,
		Example: `  bennu token inspect token.txt
  bennu token inspect --salt "user auth" --json < token.txt`,
		Args: cli.AtMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now()
			keys, err := f.optional(now)
			if err != nil {
				return err
			}
			tok, err := readToken(cmd, args)
			if err != nil {
				return err
			}
			r, end := inspect(keys, f.salt, tok, now)
			if asJSON {
				err = r.print(cmd.OutOrStdout())
			} else {
				r.explain(cmd.OutOrStdout())
			}
			return errors.Join(err, end)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return c
}

// optional makes keys if a salt and a secret are given, and otherwise returns nil.
func (f *keyFlags) optional(now time.Time) (*phx.Keys, error) {
	if f.salt == "" {
		if len(f.files) > 0 {
			return nil, cli.Usagef("--secret-file needs --salt")
		}
		return nil, nil
	}
	return f.keys(func() time.Time { return now })
}

const notVerified = "NOT VERIFIED: anybody can have written this"

// inspect shows a token, and verifies it if keys is not nil. The error decides the exit code.
func inspect(keys *phx.Keys, salt, tok string, now time.Time) (r report, end error) {
	r = report{now: now, Kind: kind(tok)}
	if u, err := phx.ParseUnverified(tok); err == nil {
		r.unverified(u)
	} else if !errors.Is(err, phx.ErrEncrypted) {
		r.refuse(err)
		end = cli.Exit(cli.Failed)
	}
	if keys == nil {
		r.Note = notVerified
		return r, end
	}
	claims, refused := check(keys, salt, tok, nil)
	r.Valid = new(refused == nil)
	if refused == nil {
		r.claims(claims)
		return r, nil
	}
	r.refuse(refused)
	if r.Reason != "expired" {
		r.Note = notVerified
	}
	if claims != nil && !r.has { // what was encrypted
		r.data(claims.Data)
		r.SignedAt = stamp(claims.SignedAt)
	}
	return r, cli.Exit(cli.Failed)
}

// kind returns the kind of a token, by its first characters.
func kind(tok string) string {
	names := map[string]string{
		"SFMyNTY": "signed with HMAC-SHA256", "SFMzODQ": "signed with HMAC-SHA384", "SFM1MTI": "signed with HMAC-SHA512",
		"XCP": "encrypted with XChaCha20-Poly1305", "QTEyOEdDTQ": "encrypted with AES-GCM",
	}
	head, _, _ := strings.Cut(tok, ".")
	return names[head]
}

// explain prints a token for people.
func (r *report) explain(w io.Writer) {
	verified := r.Valid != nil
	switch {
	case r.Kind == "" || r.SignedAt == "" && !verified && r.Reason != "":
		fmt.Fprintf(w, "This is no token of Phoenix%s.\n", r.why())
		return
	case !verified && r.SignedAt == "":
		fmt.Fprintf(w, "The token is %s: what it holds can only be shown with --salt and the secret.\n", r.Kind)
		return
	case !verified:
		fmt.Fprintf(w, "%s.\n  kind        %s\n", r.Note, r.Kind)
	case *r.Valid:
		fmt.Fprintf(w, "It verifies: the secret made this token for this salt.\n  kind        %s\n", r.Kind)
	case r.Reason == "expired":
		fmt.Fprintf(w, "It does NOT verify: the secret made this token for this salt, but it is expired.\n  kind        %s\n", r.Kind)
	default:
		fmt.Fprintf(w, "It does NOT verify with this secret and this salt. %s.\n  kind        %s\n", r.Note, r.Kind)
	}
	r.tell(w)
}

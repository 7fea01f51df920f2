// Package token is "bennu token": it signs, verifies and inspects the tokens of Phoenix.Token.
package token

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/redact"
	phx "github.com/bennu-go/bennu/token"
)

// secretEnv is the variable for the secret. Releases of Phoenix applications read the same one.
const secretEnv = "SECRET_KEY_BASE"

// Command is "bennu token".
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Sign, verify and inspect tokens",
		Long: `Sign, verify and inspect tokens. They are the tokens of Phoenix.Token: with the same secret
and the same salt, bennu and Phoenix read each other's.

` + aboutSecrets,
		Example: `  echo '{"id": 42}' | bennu token sign --salt "user auth"
  bennu token verify --salt "user auth" token.txt
  bennu token inspect token.txt`,
	}
	c.AddCommand(signCommand(), verifyCommand(), inspectCommand())
	return c
}

// aboutSecrets is a part of the help.
const aboutSecrets = `Secrets and tokens are not given as arguments, which everybody on the machine can see. The
secret is Phoenix's secret_key_base, 20 bytes or more, and is not decoded:

  --secret-file FILE   a file, without the line break at its end; if it is given several
                       times, the first signs, and all of them verify
  SECRET_KEY_BASE      of the environment, if there is no --secret-file

A token is read from FILE. If FILE is missing or -, it is read from standard input.`

// mostSecret bounds the size of a file with a secret, in bytes.
const mostSecret = 4 << 10

// mostIterations bounds the key derivation, which then takes some seconds.
const mostIterations = 10_000_000

// keyFlags has the flags about keys.
type keyFlags struct {
	salt       string
	files      []string
	digest     string
	iterations int
	length     int
}

func (f *keyFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.salt, "salt", "", "purpose of the token: the `text` that is the second argument of Phoenix.Token.sign")
	c.Flags().StringArrayVar(&f.files, "secret-file", nil, "`file` with a secret")
	c.Flags().StringVar(&f.digest, "key-digest", "sha256", "`hash` of the key derivation: sha256, sha384 or sha512")
	c.Flags().IntVar(&f.iterations, "key-iterations", 1000, "`rounds` of the key derivation")
	c.Flags().IntVar(&f.length, "key-length", 32, "`bytes` of the derived key")
	_ = c.RegisterFlagCompletionFunc("key-digest", cobra.FixedCompletions([]cobra.Completion{"sha256", "sha384", "sha512"}, cobra.ShellCompDirectiveNoFileComp))
}

// errNoSecret is the error if there is neither a file nor the variable.
var errNoSecret = cli.Usagef("there is no secret; set %s, or name a file with --secret-file", secretEnv)

// keys makes the keys from the flags. now is the clock for the age of tokens.
func (f *keyFlags) keys(now func() time.Time) (*phx.Keys, error) {
	digests := map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}
	digest, ok := digests[f.digest]
	switch {
	case !ok:
		return nil, cli.Usagef("--key-digest is sha256, sha384 or sha512, not %q", f.digest)
	case f.iterations < 1:
		return nil, cli.Usagef("--key-iterations is 1 or more, not %d", f.iterations)
	case f.iterations > mostIterations:
		return nil, cli.Usagef("--key-iterations is at most %d, not %d", mostIterations, f.iterations)
	case f.length < 1: // zero would be the library's default
		return nil, cli.Usagef("--key-length is 16 to 1024, not %d", f.length)
	case f.salt == "":
		return nil, cli.Usagef(`--salt is missing: the text that is the second argument of Phoenix.Token.sign, such as "user auth"`)
	}
	secrets, err := f.secrets()
	if err != nil {
		return nil, err
	}
	keys, err := phx.New(secrets, &phx.Options{KeyDigest: digest, KeyIterations: f.iterations, KeyLength: f.length, Now: now})
	if err != nil {
		return nil, cli.Usagef("%s", plain(err))
	}
	return keys, nil
}

func (f *keyFlags) secrets() ([]string, error) {
	if len(f.files) == 0 {
		if s := os.Getenv(secretEnv); s != "" {
			return []string{s}, nil
		}
		return nil, errNoSecret
	}
	var secrets []string
	for _, name := range f.files {
		text, err := readFile(name, mostSecret)
		if err != nil {
			return nil, fmt.Errorf("a secret: %w", err)
		}
		secrets = append(secrets, text)
	}
	return secrets, nil
}

// readToken reads the token from the file in args, or from standard input.
func readToken(cmd *cobra.Command, args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		if looksLikeToken(args[0]) {
			return "", cli.Usagef("a token in an argument can be seen by everybody on the machine; write it to standard input or into a file")
		}
		return readFile(args[0], phx.MaxLength)
	}
	if cli.IsTerminal(cmd.InOrStdin()) {
		fmt.Fprintln(cmd.ErrOrStderr(), "Paste the token, and press Enter and Ctrl+D.")
	}
	return readInput(cmd, phx.MaxLength)
}

// readInput reads standard input until it ends or a signal comes. A read from a terminal cannot be
// cancelled: it ends with the process.
func readInput(cmd *cobra.Command, most int) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read(cmd.InOrStdin(), most)
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-cmd.Context().Done():
		return "", errors.New("stopped before the end of standard input")
	}
}

// looksLikeToken reports whether an argument begins like a signed, encrypted or old encrypted token.
func looksLikeToken(s string) bool {
	for _, prefix := range []string{"SFMyNTY.", "SFMzODQ.", "SFM1MTI.", "XCP.", "QTEyOEdDTQ."} {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

func isEncrypted(token string) bool {
	return strings.HasPrefix(token, "XCP.") || strings.HasPrefix(token, "QTEyOEdDTQ.")
}

func readFile(name string, most int) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", errors.New(redact.Text(err.Error())) // a secret that was taken for a file's name
	}
	defer f.Close()
	return read(f, most)
}

// read reads a text of at most most bytes, without the line break at its end.
func read(r io.Reader, most int) (string, error) {
	const lineBreak = 2
	b, err := io.ReadAll(io.LimitReader(r, int64(most)+lineBreak+1))
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if len(text) > most {
		return "", fmt.Errorf("the input has more than %d bytes", most)
	}
	return text, nil
}

// check verifies a signed or an encrypted token. For a genuine token that has expired it returns the
// claims and the error.
func check(keys *phx.Keys, salt, token string, opts []phx.Option) (*phx.Claims, error) {
	verify := keys.Verify
	if isEncrypted(token) {
		verify = keys.Decrypt
	}
	c, err := verify(salt, token, opts...)
	if errors.Is(err, phx.ErrExpired) {
		if old, oldErr := verify(salt, token, phx.MaxAge(phx.Infinite)); oldErr == nil {
			return old, err
		}
	}
	return c, err
}

// reason returns the reason for which a token is refused, as Phoenix names it.
func reason(err error) string {
	switch {
	case errors.Is(err, phx.ErrExpired):
		return "expired"
	case errors.Is(err, phx.ErrMissing):
		return "missing"
	}
	return "invalid"
}

// plain returns the text of an error without the prefix of its package.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "token: ") }

// parseAge reads a maximum age.
func parseAge(text string) (time.Duration, error) {
	if text == "infinity" {
		return phx.Infinite, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, cli.Usagef("--max-age is a time such as 90s, 24h or infinity, not %q", redact.Text(text))
	}
	if d <= 0 {
		return 0, cli.Usagef("--max-age is above 0, such as 90s, not %s", text)
	}
	return d, nil
}

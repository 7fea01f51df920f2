package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	phx "github.com/bennu-go/bennu/token"
)

// mostData bounds the data to sign, in bytes. A longer token would not be valid.
const mostData = phx.MaxLength

type signFlags struct {
	keyFlags
	maxAge, signedAt  string
	encrypt, atomKeys bool
	json              bool
}

func signCommand() *cobra.Command {
	var f signFlags
	c := &cobra.Command{
		Use:   "sign [DATA]",
		Short: "Make a token of JSON data",
		Long: `Make a token of DATA, which is JSON, and print it. If DATA is missing or -, it is read from
standard input. Without --encrypt, everybody who has the token can read the data.

Strings, numbers, lists and objects of JSON become binaries, integers or floats, lists and maps.
Elixir programs often need atoms as the keys of maps: with --atom-keys, {"id": 42} becomes
%{id: 42}.

` + secretOnly,
		Example: `  bennu token sign --salt "user auth" 42
  bennu token sign --salt "user auth" --atom-keys --max-age 1h '{"id": 42}'
  bennu token sign --salt "user auth" --encrypt --secret-file secret.txt < data.json`,
		Args: cli.AtMostOne,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },

		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f.add(c)
	c.Flags().StringVar(&f.maxAge, "max-age", "24h", "how `long` the token is valid: 90s, 24h or infinity")
	c.Flags().StringVar(&f.signedAt, "signed-at", "", "`time` of signing, as in 2026-01-31T12:00:00Z (default now)")
	c.Flags().BoolVar(&f.encrypt, "encrypt", false, "make a token that only holders of the secret can read")
	c.Flags().BoolVar(&f.atomKeys, "atom-keys", false, "make the keys of objects atoms")
	c.Flags().BoolVar(&f.json, "json", false, "print a JSON object with the token and its times")
	return c
}

// secretOnly is a sentence of the help of all three commands.
const secretOnly = `The secret comes from --secret-file or SECRET_KEY_BASE: see "bennu help token".`

func (f *signFlags) run(cmd *cobra.Command, args []string) error {
	age, err := parseAge(f.maxAge)
	if err != nil {
		return err
	}
	at := time.Now()
	if f.signedAt != "" {
		if at, err = time.Parse(time.RFC3339, f.signedAt); err != nil {
			return cli.Usagef("--signed-at is a time such as 2026-01-31T12:00:00Z, not %q", f.signedAt)
		}
	}
	keys, err := f.keys(nil)
	if err != nil {
		return err
	}
	text := ""
	if len(args) == 1 && args[0] != "-" {
		text = args[0]
	} else if text, err = readInput(cmd, mostData); err != nil {
		return err
	}
	data, err := fromJSON(text, f.atomKeys)
	if err != nil {
		return err
	}
	sign := keys.Sign
	if f.encrypt {
		sign = keys.Encrypt
	}
	tok, err := sign(f.salt, data, phx.MaxAge(age), phx.SignedAt(at))
	if err != nil {
		return errors.New(plain(err))
	}
	if !f.json {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), tok)
		return err
	}
	r := report{Token: tok}
	r.unverified(&phx.Unverified{Data: data, SignedAt: at, MaxAge: age})
	return r.print(cmd.OutOrStdout())
}

// fromJSON decodes one JSON value, in which numbers are integers or floats, as in Erlang.
func fromJSON(text string, atomKeys bool) (any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, cli.Usagef(`there is no data; it is JSON, such as 42 or '{"id": 42}', in an argument or on standard input`)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	if err == nil {
		if _, end := dec.Token(); end != io.EOF {
			err = errors.New("there is text after the value")
		}
	}
	if err != nil {
		return nil, cli.Usagef(`the data is not JSON, in which a text has quotes, as in '"ani"': %w`, err)
	}
	return toTerm(v, atomKeys)
}

func toTerm(v any, atomKeys bool) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if i, ok := new(big.Int).SetString(string(v), 10); ok {
			return i, nil
		}
		f, err := v.Float64()
		if err != nil || math.IsInf(f, 0) {
			return nil, cli.Usagef("the number %s is too large", v)
		}
		return f, nil
	case []any:
		for i := range v {
			if v[i], err = toTerm(v[i], atomKeys); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		m := make(phx.Map, len(v))
		for k, e := range v {
			if e, err = toTerm(e, atomKeys); err != nil {
				return nil, err
			}
			if atomKeys {
				m[phx.Atom(k)] = e
			} else {
				m[k] = e
			}
		}
		return m, nil
	}
	return v, nil
}

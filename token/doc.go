// Package token makes and reads signed and encrypted tokens in the format of Phoenix.Token. A
// Phoenix application can verify tokens that are made here, and the other way round.
//
// A token carries a value, such as the id of a user, through the client. Typically the page or API
// where the user logs in signs it, the client sends it when it connects, and Connect verifies it:
//
//	keys, err := token.New([]string{os.Getenv("SECRET_KEY_BASE")}, nil)
//	...
//	tok, err := keys.Sign("user auth", userID)
//	...
//	userID, err := token.As[int64](keys.Verify("user auth", tok))
//
// Everybody who has a signed token can read it; nobody without the secret can change it. Use
// [Keys.Encrypt] for values that the client must not see. A token cannot be revoked before it
// expires: use a short maximum age, or keep a list of revoked tokens.
//
// # Sharing a secret with Phoenix
//
// Both sides need the same secret and the same salt:
//
//   - The secret is secret_key_base of the Phoenix endpoint, usually from the environment
//     variable SECRET_KEY_BASE. It is used as it is, even if it looks like base64.
//   - The salt is the second argument of Phoenix.Token.sign, and the first of Sign. Phoenix's
//     key_iterations, key_length and key_digest are fields of [Options]; leave them zero
//     unless the Phoenix side sets them.
//   - The options signed_at and max_age are [SignedAt] and [MaxAge], and :infinity is [Infinite].
//
// # Ages
//
// A token contains the time at which it was signed and its maximum age. Verify uses that age, or
// the option [MaxAge] of the call, which may be longer or shorter. A token is valid up to and
// including the last millisecond of its age. A token that was signed in the future is invalid, so
// the clocks of machines that share tokens must agree; with an infinite age the time of signing is
// not checked. With an age of zero or less a token has always expired. [Claims] has the time at
// which the token expires, for connections that outlive it.
//
// # Changing the secret
//
// [New] takes several secrets. The first one makes tokens, and all of them read tokens. To change
// the secret, add the new one behind the old one on every node, then move it to the front on every
// node, and remove the old one when its last token has expired. Phoenix itself has only one secret.
//
// # Values
//
// Values are written in Erlang's external term format, as :erlang.term_to_binary does.
//
//	Go                              written as         read as
//	nil                             nil                nil
//	bool                            true, false        bool
//	string, []byte, [n]byte         binary             string
//	integers, *big.Int              integer            int64, or *big.Int if it does not fit
//	floats                          float              float64
//	Atom                            atom               Atom
//	Tuple                           tuple              Tuple
//	other slices and arrays         list               []any
//	maps                            map                Map
//
// Pointers and interfaces are written as the value that they hold, nil slices and maps as empty
// ones. Structs, channels, functions, complex numbers, NaN and infinities are errors. Methods such
// as MarshalText are not called.
//
// Elixir's strings are binaries. Its map keys are often atoms: %{id: 1} is read as a [Map] with the
// key Atom("id"). [Map.Get] finds keys of both kinds. Do not let users choose the names of atoms in
// a token for a Phoenix application: Erlang never frees an atom.
//
// # Bounds
//
// The content of a token is decoded only after its signature was checked, except by
// [ParseUnverified], which is for tools. It is bounded all the same: 64 KiB of token, 64 levels,
// 10,000 values, integers of 1024 bytes, and 256 KiB of term after decompression. Reading a token
// takes less than 4 MiB of memory. Functions, process ids and other types that are not in the
// table are refused, as are bytes after the term, which Erlang ignores. Sign and Encrypt have the
// same bounds.
//
// Derived keys are cached for 256 salts of up to 256 bytes. Deriving a key costs about a
// hundred times as much as a signature, so salts should be constants of the program.
//
// # Session cookies
//
// [CookieReader] reads the session that Plug keeps in a signed or encrypted cookie, for a server
// that runs beside a Phoenix application on the same domain. A browser sends the cookie even if
// another site's page opens the connection, so do not trust the session before [CheckCSRF] has
// accepted the CSRF token of the page.
package token

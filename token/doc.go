// Package token makes and reads signed and encrypted tokens. They are those of
// Phoenix.Token: a Phoenix application verifies what is made here, and the other
// way round.
//
// A token carries a value, such as a user's id, from the place that knows who
// the user is to the place that has to. Typically a page or an HTTP API signs it,
// the client sends it when it connects, and Connect verifies it:
//
//	keys, err := token.New([]string{os.Getenv("SECRET_KEY_BASE")}, nil)
//	...
//	tok, err := keys.Sign("user auth", userID)
//	...
//	userID, err := token.As[int64](keys.Verify("user auth", tok))
//
// A signed token can be read by everybody who has it and changed by nobody. Use
// [Keys.Encrypt] for what the client must not see. Neither can be called back
// before it expires: keep the age short, or keep a list of those called back.
//
// # Sharing a secret with Phoenix
//
// Both sides need the same secret and the same salt:
//
//   - The secret is secret_key_base of the Phoenix endpoint, in most
//     applications the environment variable SECRET_KEY_BASE. It is used as it
//     stands, even if it looks like base64.
//   - The salt is the second argument of Phoenix.Token.sign, here the first of
//     Sign. Phoenix's key_iterations, key_length and key_digest are fields of
//     [Options]; leave them alone unless the Phoenix side sets them.
//   - signed_at and max_age are the options [SignedAt] and [MaxAge] of a call,
//     and infinity is [Infinite].
//
// # Ages
//
// A token holds the time it was signed and how long it is good. Verify goes by
// that, or by its own [MaxAge] instead if it is given one, for longer or for
// shorter. A token is good until the last millisecond of its age. One that is
// signed in the future is invalid, not expired, so clocks of machines that
// share tokens should agree; an infinite age does not ask when it was signed, and
// an age of zero or less is always expired. [Claims] tells when the token ends,
// for connections that live longer than it.
//
// # Changing the secret
//
// [New] takes several secrets. The first makes tokens and all of them read
// tokens. Put the new secret behind the old one on every node, then in front,
// and take the old one away when its last token has expired. Phoenix itself
// knows one secret only.
//
// # Values
//
// Values are written in Erlang's external term format.
//
//	Go                              written as         read as
//	nil                             nil                nil
//	bool                            true, false        bool
//	string, []byte, [n]byte         binary             string
//	integers, *big.Int              integer            int64, or *big.Int if it has to be
//	floats                          float              float64
//	Atom                            atom               Atom
//	Tuple                           tuple              Tuple
//	other slices and arrays         list               []any
//	maps                            map                Map
//	structs                         map                Map
//
// Pointers and interfaces stand for what they hold. Nil slices and maps are
// empty ones. Exported fields of structs are written under their names as
// strings; a tag changes the name (`token:"id"`), makes it an atom
// (`token:"id,atom"`) or leaves the field out (`token:"-"`). Channels,
// functions, complex numbers, NaN, infinities and structs without exported
// fields (such as [time.Time]) are errors. Types that implement an encoding
// interface are not asked for it.
//
// [As] goes back from what was read to a Go type.
//
// Elixir's strings are binaries and its map keys are often atoms: in a [Map],
// %{id: 1} has the key Atom("id"), and [Map.Get] finds both kinds. Beware of
// sending atoms to a Phoenix application from data that users choose.
//
// # Bounds
//
// Nothing of a token is decoded before its signature was checked ([ParseUnverified],
// which is for tools, is alone in that), and what is decoded is bounded nevertheless: 64 KiB of token, 64 levels, 10,000 values,
// integers of 1024 bytes, and 256 KiB of term after decompression. Reading
// such a token takes less than 4 MiB of memory. Functions, process ids and whatever else is
// not in the table are refused, and so are bytes after the term, which Erlang
// ignores. Tokens that would break a bound are not made either.
//
// Derived keys are kept for 256 salts; when there are more, some are derived
// again, which costs about a hundred signatures. So salts should be constants of
// the program. Salts of more than 256 bytes are not kept.
//
// # Session cookies
//
// [CookieReader] reads the session that Plug keeps in a cookie, signed or
// encrypted, for a server that runs beside a Phoenix application on the same
// domain. A cookie comes along whichever page opened the connection, so do
// not trust it before [CheckCSRF] agreed with the token the page was given.
package token

package token

import (
	"crypto"
	"errors"
	"fmt"
	"log/slog"
)

// shortestCookieSecret is the length Plug asks of secret_key_base for cookies.
const shortestCookieSecret = 64

// CookieOptions says how Plug writes the session cookie. The values are those
// given to Plug.Session in the Phoenix endpoint.
type CookieOptions struct {
	// SigningSalt is signing_salt. It is required.
	SigningSalt string
	// EncryptionSalt is encryption_salt. Empty means that cookies are signed
	// and not encrypted.
	EncryptionSalt string
	// KeyDigest, KeyIterations and KeyLength are as in [Options]. An encrypted
	// cookie needs a KeyLength of 32, which zero means.
	KeyDigest     crypto.Hash
	KeyIterations int
	KeyLength     int
}

// CookieReader reads the session cookies of a Phoenix or Plug application that
// keeps the session in the cookie. Make it with [NewCookieReader]. It is safe for
// concurrent use and prints without its secrets.
type CookieReader struct {
	ring func() *keyring // see hide
	sign string
	// Empty when cookies are not encrypted.
	encrypt string
}

// NewCookieReader makes a reader. Secrets are the values of secret_key_base
// whose cookies are read, in any order. It is an error if there are none or more
// than 16, if one is shorter than 64 bytes, or if an option is out of its range.
func NewCookieReader(secrets []string, opts CookieOptions) (*CookieReader, error) {
	if opts.SigningSalt == "" {
		return nil, errors.New("bennu: session cookies need a signing salt")
	}
	ring, err := newKeyring(secrets, shortestCookieSecret, keyParams{opts.KeyDigest, opts.KeyIterations, opts.KeyLength})
	if err != nil {
		return nil, err
	}
	if opts.EncryptionSalt != "" && ring.length != cryptKeyLen {
		return nil, fmt.Errorf("bennu: encrypted session cookies need keys of %d bytes, not %d", cryptKeyLen, ring.length)
	}
	return &CookieReader{ring: ring.hide(), sign: opts.SigningSalt, encrypt: opts.EncryptionSalt}, nil
}

// Read gives the session in the value of a cookie. The map belongs to the
// caller; its values have the types listed in the package comment. A session
// has no age of its own: it is good as long as the browser sends it. The error is
// [ErrMissing] for an empty value and else [ErrInvalid].
func (c *CookieReader) Read(value string) (map[string]any, error) {
	var plain []byte
	var err error
	if c.encrypt != "" {
		plain, err = c.ring().decrypt(c.encrypt, &c.sign, value)
	} else {
		plain, err = c.ring().verify(c.sign, value)
	}
	if err != nil {
		return nil, err
	}
	term, err := decodeTerm(plain)
	if err != nil {
		return nil, invalid("%w", err)
	}
	session, ok := term.(Map)
	if !ok {
		return nil, invalid("not a session")
	}
	out := make(map[string]any, len(session))
	for key, v := range session {
		name, ok := key.(string)
		if !ok {
			return nil, invalid("a session with a key that is not a string")
		}
		out[name] = v
	}
	return out, nil
}

// String says how many secrets there are and nothing about them.
func (c *CookieReader) String() string { return masked("CookieReader", c.ring) }

// GoString is String, for %#v.
func (c *CookieReader) GoString() string { return c.String() }

// Format is String for every verb.
func (c *CookieReader) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue is String, for log/slog.
func (c *CookieReader) LogValue() slog.Value { return slog.StringValue(c.String()) }

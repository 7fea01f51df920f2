package token

import (
	"crypto"
	"errors"
	"fmt"
)

// shortestCookieSecret is the least length that Plug accepts of secret_key_base for cookies, in bytes.
const shortestCookieSecret = 64

// CookieOptions must have the values of the options of Plug.Session in the Phoenix endpoint.
type CookieOptions struct {
	// SigningSalt is the option signing_salt. It is required.
	SigningSalt string
	// EncryptionSalt is the option encryption_salt. Empty means that cookies are signed but
	// not encrypted.
	EncryptionSalt string
	// KeyDigest, KeyIterations and KeyLength are as in [Options]. Encrypted cookies need a
	// KeyLength of 32, the default.
	KeyDigest     crypto.Hash
	KeyIterations int
	KeyLength     int
}

// CookieReader reads the session cookies of a Phoenix or Plug application that keeps sessions in
// cookies (store: :cookie). [NewCookieReader] makes one. It is safe for concurrent use. Printing it
// does not show its secrets.
type CookieReader struct {
	ring    func() *keyring // see hide
	sign    string          // salt
	encrypt string          // salt, empty if cookies are not encrypted
}

// NewCookieReader returns a reader for cookies that were made with any of the secrets, which are
// values of secret_key_base. It is an error if there are none or more than 16, if one is shorter
// than 64 bytes, if there is no SigningSalt, or if an option is out of range.
func NewCookieReader(secrets []string, opts *CookieOptions) (*CookieReader, error) {
	if opts == nil || opts.SigningSalt == "" {
		return nil, errors.New("token: session cookies need CookieOptions with a SigningSalt")
	}
	ring, err := newKeyring(secrets, shortestCookieSecret, keyParams{opts.KeyDigest, opts.KeyIterations, opts.KeyLength})
	if err != nil {
		return nil, err
	}
	if opts.EncryptionSalt != "" && ring.length != cryptKeyLen {
		return nil, fmt.Errorf("token: encrypted session cookies need keys of %d bytes, not %d", cryptKeyLen, ring.length)
	}
	return &CookieReader{ring: ring.hide(), sign: opts.SigningSalt, encrypt: opts.EncryptionSalt}, nil
}

// Read returns the session in the value of a cookie. The map belongs to the caller; its values
// have the types in the last column of the table in the package documentation. A session has no
// maximum age: it is valid as long as the browser sends it. The error is [ErrMissing] for an empty
// value, and otherwise an [ErrInvalid].
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
		return nil, invalid("it is not a session")
	}
	out := make(map[string]any, len(session))
	for key, v := range session {
		name, ok := key.(string)
		if !ok {
			return nil, invalid("a key of the session is not a string")
		}
		out[name] = v
	}
	return out, nil
}

package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
)

// signHeader is the base64 of "HS256": Phoenix signs with HMAC-SHA256.
const signHeader = "SFMyNTY"

// signHashes are the hashes of the headers that Verify accepts.
var signHashes = map[string]func() hash.Hash{
	signHeader: sha256.New,
	"SFMzODQ":  sha512.New384, // HS384
	"SFM1MTI":  sha512.New,    // HS512
}

// b64 refuses trailing bits that are not zero, so that a token has only one spelling.
var b64 = base64.RawURLEncoding.Strict()

// decode64 decodes s. It refuses line breaks, which encoding/base64 skips.
func decode64(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := b64.DecodeString(s)
	return b, err == nil
}

// Sign returns a token with data that everybody can read and nobody can change. The salt names the
// purpose of the token: Verify accepts the token only with the same salt. The salt need not be
// secret, and should be a constant of the program.
//
// It is an error if data has a type that cannot be written, if the token is longer than MaxLength,
// or if its maximum age is not in whole seconds.
func (k *Keys) Sign(salt string, data any, opts ...Option) (string, error) {
	plain, err := k.plaintext(data, opts)
	if err != nil {
		return "", err
	}
	key, err := k.ring().key(0, salt)
	if err != nil {
		return "", err
	}
	return fits(signMessage(key, plain))
}

// Verify reads a token that Sign or Phoenix.Token.sign has made. It checks the signature before it
// decodes the content, and then the age. The error is an [ErrMissing], [ErrInvalid] or [ErrExpired].
func (k *Keys) Verify(salt, token string, opts ...Option) (*Claims, error) {
	plain, err := k.ring().verify(salt, token)
	if err != nil {
		return nil, err
	}
	return k.claims(plain, opts)
}

// fits refuses tokens that Verify would refuse.
func fits(token string) (string, error) {
	if len(token) > MaxLength {
		return "", fmt.Errorf("token: the token has %d bytes; at most %d are read", len(token), MaxLength)
	}
	return token, nil
}

// signMessage returns the header, the message and the signature of both, each in base64, with dots
// between them.
func signMessage(key, message []byte) string {
	mac := hmac.New(sha256.New, key)
	b := make([]byte, 0, len(signHeader)+2+b64.EncodedLen(len(message))+b64.EncodedLen(mac.Size()))
	b = append(b, signHeader...)
	b = append(b, '.')
	b = b64.AppendEncode(b, message)
	mac.Write(b)
	b = append(b, '.')
	b = b64.AppendEncode(b, mac.Sum(nil))
	return string(b)
}

// verify returns the message of a signed token if one of the secrets has signed it.
func (r *keyring) verify(salt, token string) ([]byte, error) {
	switch {
	case token == "":
		return nil, ErrMissing
	case len(token) > MaxLength:
		return nil, errForged
	}
	header, rest, _ := strings.Cut(token, ".")
	message, signature, ok := strings.Cut(rest, ".")
	newHash := signHashes[header]
	if !ok || newHash == nil {
		return nil, errForged
	}
	// A third dot would be in signature. Decoding refuses it.
	want, ok := decode64(signature)
	if !ok {
		return nil, errForged
	}
	signed := []byte(token[:len(header)+1+len(message)])
	for i := range r.secrets {
		key, err := r.key(i, salt)
		if err != nil {
			return nil, err
		}
		mac := hmac.New(newHash, key)
		mac.Write(signed)
		if !hmac.Equal(mac.Sum(nil), want) {
			continue
		}
		plain, ok := decode64(message)
		if !ok {
			return nil, invalid("data is not base64")
		}
		return plain, nil
	}
	return nil, errForged
}

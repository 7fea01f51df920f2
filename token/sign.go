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

// signHeader is the base64 of HS256. Phoenix signs with nothing else.
const signHeader = "SFMyNTY"

// signHashes are the headers that are verified.
var signHashes = map[string]func() hash.Hash{
	signHeader: sha256.New,
	"SFMzODQ":  sha512.New384, // HS384
	"SFM1MTI":  sha512.New,    // HS512
}

// b64 refuses set bits after the end, so that a token has one spelling.
var b64 = base64.RawURLEncoding.Strict()

// decode64 decodes s and refuses the line breaks that encoding/base64 skips.
func decode64(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := b64.DecodeString(s)
	return b, err == nil
}

// Sign makes a token that holds data for everyone to read and nobody to change.
// Salt names what the token is for; a token verifies under its own salt alone.
// It need not be secret and should be a constant of the program.
//
// The error says what of data cannot be written, or that the token would be
// longer than MaxLength or has a max age that is not in whole seconds.
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

// Verify reads a token made with Sign, here or by Phoenix. The error is
// [ErrMissing] for an empty token, [ErrInvalid] or [ErrExpired] by errors.Is; a
// signature is checked before anything else is looked at.
func (k *Keys) Verify(salt, token string, opts ...Option) (*Claims, error) {
	plain, err := k.ring().verify(salt, token)
	if err != nil {
		return nil, err
	}
	return k.claims(plain, opts)
}

// fits refuses to make what would not be read.
func fits(token string) (string, error) {
	if len(token) > MaxLength {
		return "", fmt.Errorf("bennu: token of %d bytes, at most %d are read", len(token), MaxLength)
	}
	return token, nil
}

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

// verify gives the message of a signed token if one of the secrets signed it.
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
	// A further dot is not base64 and fails here.
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

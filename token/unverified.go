package token

import (
	"errors"
	"math"
	"strings"
	"time"
)

// ErrEncrypted means that a token is encrypted and cannot be read without its secret.
var ErrEncrypted = errors.New("token: encrypted")

// Unverified is the content of a signed token whose signature was not checked. Anybody may have
// written it: show it to people, but never decide by it who may connect.
type Unverified struct {
	// Data is the value in the token, of a type listed in the package comment.
	Data any
	// SignedAt is the time of signing in the token, to the millisecond.
	SignedAt time.Time
	// MaxAge is the maximum age in the token, or Infinite. It is never negative. An age of more
	// than 292 years, the longest Duration, is Infinite.
	MaxAge time.Duration
}

// ParseUnverified reads a signed token without checking its signature or its age. It is for tools:
// use [Keys.Verify] to decide about users. The bounds of the package documentation hold.
//
// The error is [ErrMissing] for an empty token, [ErrEncrypted] for an encrypted one, and otherwise
// [ErrInvalid].
func ParseUnverified(token string) (*Unverified, error) {
	switch {
	case token == "":
		return nil, ErrMissing
	case len(token) > MaxLength:
		return nil, invalid("more than %d bytes", MaxLength)
	case strings.HasPrefix(token, encryptPrefix), strings.HasPrefix(token, legacyPrefix):
		return nil, ErrEncrypted
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, invalid("a signed token has three parts with dots between")
	}
	if signHashes[parts[0]] == nil {
		return nil, invalid("the first part is not that of a Phoenix token")
	}
	plain, ok := decode64(parts[1])
	if _, signed := decode64(parts[2]); !ok || !signed {
		return nil, invalid("it is not base64")
	}
	term, err := decodeTerm(plain)
	if err != nil {
		return nil, invalid("%w", err)
	}
	data, signed, limit, ok := payload(term)
	if !ok {
		return nil, invalid("it does not contain data with a time of signing")
	}
	u := &Unverified{Data: data, SignedAt: time.UnixMilli(signed)}
	switch {
	case limit.infinite, limit.ms > math.MaxInt64/int64(time.Millisecond):
		u.MaxAge = Infinite
	default:
		u.MaxAge = time.Duration(limit.ms) * time.Millisecond
	}
	return u, nil
}

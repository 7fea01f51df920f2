package token

import (
	"errors"
	"math"
	"strings"
	"time"
)

// ErrEncrypted means a token that cannot be looked into without its secret.
var ErrEncrypted = errors.New("bennu: token is encrypted")

// Unverified is what a signed token says of itself. Anybody can have written it:
// it is for tools that show a token to people, and never a reason to let somebody in.
type Unverified struct {
	// Data is the value in the token, in the types listed in the package comment.
	Data any
	// SignedAt is when the token says that it was made, to the millisecond.
	SignedAt time.Time
	// MaxAge is how long after that it says that it is good, or Infinite. It is never
	// negative, and longer ages than a Duration can tell are the longest.
	MaxAge time.Duration
}

// ParseUnverified reads a signed token without a look at its signature or its age. It
// is the one function here that decodes what nobody vouches for, within the bounds of
// the package comment. [Keys.Verify] is what decides about users.
//
// The error is [ErrMissing] for an empty token, [ErrEncrypted], or [ErrInvalid] for
// what cannot be read.
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
		return nil, invalid("its first part is not one of a Phoenix token")
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
		return nil, invalid("not data with a time of signing")
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

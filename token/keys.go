package token

import (
	"crypto"
	"fmt"
	"math"
	"time"
)

const (
	// MaxLength bounds tokens, in bytes. Sign and Encrypt make no longer ones, and Verify and
	// Decrypt accept none.
	MaxLength = 64 << 10
	// Infinite is the maximum age of tokens that never expire, :infinity in Phoenix.
	Infinite time.Duration = math.MaxInt64

	// shortestSecret is the least length of a secret that Phoenix accepts, in bytes.
	shortestSecret = 20
	// defaultMaxAge is one day, as in Phoenix. It also holds for tokens of old versions of
	// Phoenix, which have no age.
	defaultMaxAge = 86400 * time.Second
)

// Options configure how keys are derived and tokens are made. The zero value means the defaults of
// Phoenix.Token. The fields that begin with Key must be the same on both sides.
type Options struct {
	// KeyDigest is the hash of the key derivation: [crypto.SHA256], [crypto.SHA384] or
	// [crypto.SHA512]. Tokens are signed with HMAC-SHA256 in any case, as in Phoenix. Default
	// SHA-256.
	KeyDigest crypto.Hash
	// KeyIterations is the number of rounds of the key derivation. Default 1000.
	KeyIterations int
	// KeyLength is the length of derived keys in bytes, 16 to 1024. Encrypt and Decrypt need
	// 32, the default.
	KeyLength int
	// MaxAge is written into tokens: the time for which they are valid after signing, in whole
	// seconds up to a hundred years, or Infinite. Verify uses the age in the token, or the
	// option [MaxAge] of the call. Default 86,400 s.
	MaxAge time.Duration
	// OldAtoms writes atoms as Erlang/OTP 25 and older do, to make the same tokens byte for
	// byte. Every OTP reads both forms, and so does Verify.
	OldAtoms bool
	// Now returns the current time, which is used to the millisecond. It must be safe for
	// concurrent use. Default [time.Now].
	Now func() time.Time
}

// Keys makes and reads tokens with one or several secrets. [New] makes one; the zero value is not
// usable. All methods are safe for concurrent use. Printing it does not show the secrets.
type Keys struct {
	ring     func() *keyring // see hide
	maxAge   time.Duration
	oldAtoms bool
	now      func() time.Time
}

// New returns Keys for secrets, which it copies. The first one signs and encrypts, and all of them
// verify and decrypt; the package documentation says how to change a secret. The secret of a Phoenix
// application is its secret_key_base. opts may be nil.
//
// It is an error if there are no secrets or more than 16, if one is shorter than 20 bytes, or if
// an option is out of range.
func New(secrets []string, opts *Options) (*Keys, error) {
	if opts == nil {
		opts = &Options{}
	}
	ring, err := newKeyring(secrets, shortestSecret, keyParams{opts.KeyDigest, opts.KeyIterations, opts.KeyLength})
	if err != nil {
		return nil, err
	}
	k := &Keys{ring: ring.hide(), maxAge: opts.MaxAge, oldAtoms: opts.OldAtoms, now: opts.Now}
	if k.maxAge == 0 {
		k.maxAge = defaultMaxAge
	}
	if k.maxAge < 0 {
		return nil, fmt.Errorf("token: option MaxAge is %v; use a positive one, or Infinite", k.maxAge)
	}
	if err := wholeSeconds(k.maxAge); err != nil {
		return nil, err
	}
	if k.now == nil {
		k.now = time.Now
	}
	return k, nil
}

// longestAge is a hundred years. It bounds mistakes in units; Infinite is longer.
const longestAge = 36_525 * 24 * time.Hour

// wholeSeconds refuses ages that cannot be written into a token. If they were rounded, a token
// would expire too early or too late.
func wholeSeconds(age time.Duration) error {
	switch {
	case age == Infinite:
	case age%time.Second != 0:
		return fmt.Errorf("token: max age %v is not in whole seconds", age)
	case age > longestAge:
		return fmt.Errorf("token: max age %v is longer than %v; use Infinite", age, longestAge)
	}
	return nil
}

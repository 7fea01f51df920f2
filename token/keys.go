package token

import (
	"crypto"
	"fmt"
	"log/slog"
	"math"
	"time"
)

const (
	// MaxLength is the length in bytes of the longest token that is made or
	// read. Longer ones are invalid without a look at them.
	MaxLength = 64 << 10
	// Infinite as a maximum age is Phoenix's infinity: the token never expires.
	Infinite time.Duration = math.MaxInt64

	// shortestSecret is the length that Phoenix asks of a secret given as a
	// string.
	shortestSecret = 20
	// defaultMaxAge is one day, the age of tokens that say nothing about it.
	defaultMaxAge = 86400 * time.Second
)

// Options changes how keys are derived and tokens are made. The zero value is
// what Phoenix.Token does without options; both sides must agree on the Key
// fields.
type Options struct {
	// KeyDigest is the hash of the key derivation: [crypto.SHA256],
	// [crypto.SHA384] or [crypto.SHA512]. Zero means SHA-256. Tokens are
	// signed with HMAC-SHA256 whatever it is, as Phoenix does.
	KeyDigest crypto.Hash
	// KeyIterations is the number of rounds of the key derivation. Zero means
	// 1000.
	KeyIterations int
	// KeyLength is the length of derived keys in bytes, 16 to 1024. Zero means
	// 32, the only length that Encrypt and Decrypt work with.
	KeyLength int
	// MaxAge goes into the tokens made here: how long after signing they are
	// good, in whole seconds, or Infinite. Zero means 86,400 s. It does not
	// change what Verify accepts; the per-call [MaxAge] does.
	MaxAge time.Duration
	// OldAtoms writes atoms as Erlang/OTP 25 and older do, for tokens that are
	// byte for byte theirs. Every OTP reads both forms, and so does Verify.
	OldAtoms bool
	// Now is the clock, read as wall time to the millisecond. Nil means
	// [time.Now]. It must be safe for concurrent use.
	Now func() time.Time
}

// Keys makes and reads tokens with one or several secrets. Make it with [New];
// the zero value is not usable. All methods are safe for concurrent use. It
// prints as the number of its secrets, never as the secrets.
type Keys struct {
	ring     func() *keyring // see hide
	maxAge   time.Duration
	oldAtoms bool
	now      func() time.Time
}

// New makes Keys from secrets: the first signs and encrypts, all of them verify
// and decrypt. To replace a secret put the new one in front and take the old one
// away when its last token has expired. With Phoenix the secret is
// secret_key_base, used as raw bytes.
//
// It is an error if there are no secrets or more than 16, if one is shorter than
// 20 bytes, or if an option is out of its range. opts may be nil.
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
		return nil, fmt.Errorf("bennu: max age %v for tokens would sign expired ones", k.maxAge)
	}
	if err := wholeSeconds(k.maxAge); err != nil {
		return nil, err
	}
	if k.now == nil {
		k.now = time.Now
	}
	return k, nil
}

// longestAge is a hundred years.
const longestAge = 36_525 * 24 * time.Hour

// wholeSeconds refuses ages that a token cannot say. Rounding would either end
// a token early or make it good for longer than was asked.
func wholeSeconds(age time.Duration) error {
	switch {
	case age == Infinite:
	case age%time.Second != 0:
		return fmt.Errorf("bennu: max age %v of a token is not in whole seconds", age)
	case age > longestAge:
		return fmt.Errorf("bennu: max age %v of a token is longer than %v; use Infinite", age, longestAge)
	}
	return nil
}

// String says how many secrets there are and nothing about them.
func (k *Keys) String() string { return masked("Keys", k.ring) }

// GoString is String, for %#v.
func (k *Keys) GoString() string { return k.String() }

// Format is String for every verb: without it %d would print the fields.
func (k *Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// LogValue is String, for log/slog.
func (k *Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

func masked(name string, ring func() *keyring) string {
	n := 0
	if ring != nil {
		n = len(ring().secrets)
	}
	return fmt.Sprintf("token.%s(secrets: %d)", name, n)
}

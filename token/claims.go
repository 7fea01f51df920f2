package token

import (
	"fmt"
	"math"
	"math/big"
	"time"
)

// Claims is what a genuine token says.
type Claims struct {
	// Data is the value that was signed, in the types listed in the package
	// comment. It belongs to the caller. [As] brings it into a Go type.
	Data any
	// SignedAt is when the token was made, to the millisecond.
	SignedAt time.Time
	// ExpiresAt is the last millisecond in which the token is good, by the
	// maximum age that was in force for the call. Zero means never.
	ExpiresAt time.Time
}

// Expired reports whether the token is too old at the time now. Verify never
// returns claims that are; those who keep claims for longer, such as a
// connection, ask again.
func (c *Claims) Expired(now time.Time) bool {
	return !c.ExpiresAt.IsZero() && now.UnixMilli() > c.ExpiresAt.UnixMilli()
}

// Option changes one call.
type Option func(*call)

type call struct {
	age      *age
	duration time.Duration // as it was given, for Sign
	signedAt *time.Time
}

// MaxAge is for this call alone. Sign and Encrypt write d into the token; it
// must be in whole seconds or Infinite. Verify and Decrypt take d in place of
// what the token says, so that an older token is refused; nothing is good for
// zero or less.
func MaxAge(d time.Duration) Option {
	return func(c *call) {
		c.duration = d
		c.age = &age{infinite: d == Infinite, positive: d > 0, ms: d.Milliseconds()}
	}
}

// SignedAt has Sign and Encrypt write t, to the millisecond, as the time of
// signing. Without it that is now. Verify and Decrypt ignore it.
func SignedAt(t time.Time) Option {
	return func(c *call) { c.signedAt = &t }
}

func newCall(opts []Option) *call {
	c := &call{}
	for _, o := range opts {
		o(c)
	}
	return c
}

// plaintext is what goes into a token: data, when it was signed in milliseconds,
// and how long it is good in seconds.
func (k *Keys) plaintext(data any, opts []Option) ([]byte, error) {
	c := newCall(opts)
	signed, maxAge := k.now(), k.maxAge
	if c.signedAt != nil {
		signed = *c.signedAt
	}
	if c.age != nil {
		maxAge = c.duration
	}
	if err := wholeSeconds(maxAge); err != nil {
		return nil, err
	}
	var seconds any = int64(maxAge / time.Second)
	if maxAge == Infinite {
		seconds = infinity
	}
	plain, err := encodeTerm(Tuple{data, signed.UnixMilli(), seconds}, k.oldAtoms)
	if err != nil {
		return nil, fmt.Errorf("bennu: no token for this data: %w", err)
	}
	return plain, nil
}

// claims reads the plaintext of a genuine token and judges its age.
func (k *Keys) claims(plain []byte, opts []Option) (*Claims, error) {
	term, err := decodeTerm(plain)
	if err != nil {
		return nil, invalid("%w", err)
	}
	data, signed, limit, ok := payload(term)
	if !ok {
		return nil, invalid("not data with a time of signing")
	}
	if c := newCall(opts); c.age != nil {
		limit = *c.age
	}
	expires, err := limit.judge(signed, k.now().UnixMilli())
	if err != nil {
		return nil, err
	}
	return &Claims{Data: data, SignedAt: time.UnixMilli(signed), ExpiresAt: expires}, nil
}

// infinity is the atom that stands for no maximum age.
const infinity Atom = "infinity"

// payload takes the three forms apart in which Phoenix has written tokens.
func payload(term any) (data any, signed int64, limit age, ok bool) {
	day := age{positive: true, ms: defaultMaxAge.Milliseconds()}
	switch t := term.(type) {
	case Tuple:
		switch len(t) {
		case 2:
			signed, ok = millis(t[1])
			return t[0], signed, day, ok
		case 3:
			signed, ok = millis(t[1])
			given, known := ageOf(t[2])
			return t[0], signed, given, ok && known
		}
	case Map:
		data, has := t[Atom("data")]
		signed, ok = millis(t[Atom("signed")])
		return data, signed, day, has && ok
	}
	return nil, 0, age{}, false
}

// millis reads a time. What does not fit is as far away as can be.
func millis(term any) (int64, bool) {
	switch t := term.(type) {
	case int64:
		return t, true
	case *big.Int:
		return farAway(t), true
	}
	return 0, false
}

func farAway(n *big.Int) int64 {
	if n.Sign() < 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}

// age is a maximum age. positive is apart from ms because a fraction of a
// millisecond is more than nothing.
type age struct {
	infinite bool
	positive bool
	ms       int64
}

// ageOf reads the maximum age in a token: seconds, which Elixir allows to be a
// float, or the atom infinity.
func ageOf(term any) (age, bool) {
	switch t := term.(type) {
	case int64:
		switch {
		case t > math.MaxInt64/1000:
			return age{positive: true, ms: math.MaxInt64}, true
		case t <= 0:
			return age{}, true
		}
		return age{positive: true, ms: t * 1000}, true
	case *big.Int:
		return age{positive: t.Sign() > 0, ms: farAway(t)}, true
	case float64:
		if t*1000 >= math.MaxInt64 {
			return age{positive: true, ms: math.MaxInt64}, true
		}
		if t <= 0 {
			return age{}, true
		}
		return age{positive: true, ms: int64(t * 1000)}, true
	case Atom:
		return age{infinite: true}, t == infinity
	}
	return age{}, false
}

// judge gives the time until which a token is good, in the order of Phoenix: an
// infinite age is good whenever it was signed, and no age at all is expired even
// if it was signed in the future.
func (a age) judge(signed, now int64) (time.Time, error) {
	switch {
	case a.infinite:
		return time.Time{}, nil
	case !a.positive:
		return time.Time{}, ErrExpired
	case signed > now:
		return time.Time{}, invalid("signed in the future")
	case signed > math.MaxInt64-a.ms:
		return time.Time{}, nil // later than can be told
	case signed+a.ms < now:
		return time.Time{}, ErrExpired
	}
	return time.UnixMilli(signed + a.ms), nil
}

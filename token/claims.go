package token

import (
	"fmt"
	"math"
	"math/big"
	"time"
)

// Claims is the content of a verified token.
type Claims struct {
	// Data is the signed value, of a type in the last column of the table in the package
	// documentation. It belongs to the caller. See [As].
	Data any
	// SignedAt is the time of signing, to the millisecond.
	SignedAt time.Time
	// ExpiresAt is the last millisecond in which the token is valid, by the maximum age that
	// Verify used. Zero means that it never expires.
	ExpiresAt time.Time
}

// Expired reports whether the token has expired at the time now. It is for programs that keep
// claims, for example as long as a connection lasts. Verify never returns expired claims.
func (c *Claims) Expired(now time.Time) bool {
	return !c.ExpiresAt.IsZero() && now.UnixMilli() > c.ExpiresAt.UnixMilli()
}

// Option changes one call of Sign, Encrypt, Verify or Decrypt. If one is given twice, the last counts.
type Option func(*call)

// call has the options of one call.
type call struct {
	age      *age
	duration time.Duration // of MaxAge, for Sign
	signedAt *time.Time
}

// MaxAge sets the maximum age for one call. Sign and Encrypt write d into the token; it must be whole
// seconds, up to a hundred years, or Infinite. Verify and Decrypt use d instead of the age in the
// token; if d is zero or less, every token has expired.
func MaxAge(d time.Duration) Option {
	return func(c *call) {
		c.duration = d
		c.age = &age{infinite: d == Infinite, positive: d > 0, ms: d.Milliseconds()}
	}
}

// SignedAt makes Sign and Encrypt write t as the time of signing, to the millisecond, instead of
// now. Verify and Decrypt ignore it.
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

// plaintext returns the content of a token as Phoenix writes it: a tuple of the data, the time of
// signing in milliseconds since 1970 and the maximum age in seconds.
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
		return nil, fmt.Errorf("token: this data cannot be written: %w", err)
	}
	return plain, nil
}

// claims reads the plaintext of a token whose signature was checked, and checks its age.
func (k *Keys) claims(plain []byte, opts []Option) (*Claims, error) {
	term, err := decodeTerm(plain)
	if err != nil {
		return nil, invalid("%w", err)
	}
	data, signed, limit, ok := payload(term)
	if !ok {
		return nil, invalid("it does not contain data with a time of signing")
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

// infinity is the atom for no maximum age.
const infinity Atom = "infinity"

// payload reads the three forms in which versions of Phoenix have written tokens: {data, signed,
// max_age}, {data, signed}, and %{data: data, signed: signed}. The last two have the age of a day.
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

// millis reads a time in milliseconds. A time outside of an int64 becomes the nearest inside.
func millis(term any) (int64, bool) {
	switch t := term.(type) {
	case int64:
		return t, true
	case *big.Int:
		return farAway(t), true
	}
	return 0, false
}

// farAway returns the int64 that is nearest to an integer outside of an int64.
func farAway(n *big.Int) int64 {
	if n.Sign() < 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}

// age is a maximum age in milliseconds. positive tells an age of less than a millisecond, whose ms is
// 0, from an age of zero.
type age struct {
	infinite bool
	positive bool
	ms       int64
}

// ageOf reads the maximum age in a token: seconds, for which Elixir also allows a float, or the
// atom infinity.
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

// judge returns the time at which a token expires. It checks in the order of Phoenix: with an
// infinite age the time of signing does not matter, and with an age of zero a token has expired
// even if it was signed in the future.
func (a age) judge(signed, now int64) (time.Time, error) {
	switch {
	case a.infinite:
		return time.Time{}, nil
	case !a.positive:
		return time.Time{}, ErrExpired
	case signed > now:
		return time.Time{}, invalid("signed in the future")
	case signed > math.MaxInt64-a.ms:
		return time.Time{}, nil // the time of expiry is outside of an int64
	case signed+a.ms < now:
		return time.Time{}, ErrExpired
	}
	return time.UnixMilli(signed + a.ms), nil
}

package token

import (
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

// forms are the kinds of token, for tests that all of them must pass.
var forms = []struct {
	name  string
	make  func(*Keys, string, any, ...Option) (string, error)
	read  func(*Keys, string, string, ...Option) (*Claims, error)
	token string // one of Phoenix, of 42
}{
	{"signed", (*Keys).Sign, (*Keys).Verify, signed42},
	{"encrypted", (*Keys).Encrypt, (*Keys).Decrypt, crypted42},
	{"legacy", (*Keys).Encrypt, (*Keys).Decrypt, legacy42},
}

func TestRoundTrip(t *testing.T) {
	k := newKeys(t, nil)
	for _, f := range forms {
		tok, err := f.make(k, testSalt, "nut")
		if err != nil {
			t.Fatal(f.name, err)
		}
		c, err := f.read(k, testSalt, tok)
		if err != nil {
			t.Fatal(f.name, err)
		}
		now := signedAt.Add(time.Second)
		if c.Data != "nut" || !c.SignedAt.Equal(now) || !c.ExpiresAt.Equal(now.Add(24*time.Hour)) {
			t.Errorf("%s: claims are %+v", f.name, c)
		}
		if _, err := f.read(k, "other", tok); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: other salt gives %v", f.name, err)
		}
		if _, err := f.read(newKeys(t, nil, strings.Repeat("x", 64)), testSalt, tok); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: other secret gives %v", f.name, err)
		}
		if _, err := f.read(k, testSalt, ""); !errors.Is(err, ErrMissing) {
			t.Errorf("%s: no token gives %v", f.name, err)
		}
	}
}

// TestAltered changes every bit of a token, removes every byte, doubles every byte, and cuts it at
// every place. None of these tokens verifies.
func TestAltered(t *testing.T) {
	k := newKeys(t, nil)
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			if _, err := f.read(k, testSalt, f.token); err != nil {
				t.Fatal(err)
			}
			refused := func(tok, how string, i int) {
				if _, err := f.read(k, testSalt, tok); tok != f.token && err != ErrInvalid {
					t.Errorf("%s at %d: %v", how, i, err)
				}
			}
			for i := range len(f.token) {
				for bit := range 8 {
					b := []byte(f.token)
					b[i] ^= 1 << bit
					refused(string(b), "flipped", i)
				}
				if i > 0 {
					refused(f.token[:i], "cut", i)
					refused(f.token[i:], "headless", i)
				}
				refused(f.token[:i]+f.token[i+1:], "without", i)
				refused(f.token[:i+1]+f.token[i:], "twice", i)
				refused(f.token[:i]+"\n"+f.token[i:], "line break", i)
				refused(f.token[:i]+"."+f.token[i:], "dot", i)
				refused(f.token[:i]+"=."+f.token[i:], "padding", i)
			}
			for _, s := range []string{"=", "\n", ".", "..", ".AAAA", " ", "A", "\x00"} {
				refused(f.token+s, "then "+s, len(f.token))
				refused(s+f.token, "after "+s, 0)
			}
		})
	}
}

func TestInvalid(t *testing.T) {
	k := newKeys(t, nil)
	for _, tok := range []string{
		"a.b.c", ".", "..", "...", "SFMyNTY..", "SFMyNTY.g2gDYSpuBgAAaOXPiwFiAAFRgA.", "SFMyNTY", "XCP.", "XCP..", "XCP.AAAA",
		"XCP." + strings.Repeat("A", 54), "XCP." + strings.Repeat("A", 200), "QTEyOEdDTQ.", "QTEyOEdDTQ....", "QTEyOEdDTQ.....",
		"QTEyOEdDTQ.AAAA.AAAA.AAAA.AAAA", "none.g2gDYSpuBgAAaOXPiwFiAAFRgA.",
		"SFMyNTY." + strings.Repeat("A", MaxLength) + ".AAAA", "QTEyOEdDTQ" + strings.Repeat(".", 1000),
	} {
		for _, f := range forms {
			if _, err := f.read(k, testSalt, tok); err != ErrInvalid {
				t.Errorf("%.60s: %v", tok, err)
			}
		}
	}
}

// TestGenuineAndUnusable has tokens with a right signature over data that is not that of a token.
func TestGenuineAndUnusable(t *testing.T) {
	k := newKeys(t, nil)
	key, err := k.ring().key(0, testSalt)
	if err != nil {
		t.Fatal(err)
	}
	for _, term := range []any{
		42, "x", nil, Tuple{}, Tuple{1}, Tuple{1, 2, 3, 4}, []any{42, signedAt.UnixMilli(), 86400}, Map{},
		map[Atom]any{"data": 1}, map[Atom]any{"signed": 1}, map[string]any{"data": 1, "signed": 1},
		Tuple{42, "now", 60}, Tuple{42, 1.5, 60}, Tuple{42, nil, 60}, Tuple{42, 1, "60"}, Tuple{42, 1, nil}, Tuple{42, 1, Atom("never")},
	} {
		plain, err := encodeTerm(term, false)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := k.Verify(testSalt, signMessage(key, plain)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: %v, %v", term, c, err)
		}
	}
	for _, plain := range []string{"", "\x83", "hello", "\x83a", "\x83p"} {
		if c, err := k.Verify(testSalt, signMessage(key, []byte(plain))); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v, %v", plain, c, err)
		}
	}
	// Made by Erlang: the data is a function.
	const function = "SFMyNTY.g2gDcWQABmVybGFuZ2QAA25vd2EAbgYAAGjlz4sBYgABUYA.HkSp7v1-eoi81CqoRko0lScdeUIHI7k9x2nwaCYq-Xc"
	if _, err := k.Verify(testSalt, function); !errors.Is(err, ErrInvalid) || !errors.Is(err, errFunction) {
		t.Errorf("function: %v", err)
	}
}

func TestAge(t *testing.T) {
	const ms = time.Millisecond
	good := func(d time.Duration) time.Time { return signedAt.Add(d) }
	for _, tt := range []struct {
		name    string
		sign    []Option
		now     time.Duration // after signing
		verify  []Option
		want    error
		expires time.Time
	}{
		{"at once", nil, 0, nil, nil, good(24 * time.Hour)},
		{"last millisecond", nil, 24 * time.Hour, nil, nil, good(24 * time.Hour)},
		{"within that millisecond", nil, 24*time.Hour + ms - 1, nil, nil, good(24 * time.Hour)},
		{"over", nil, 24*time.Hour + ms, nil, ErrExpired, time.Time{}},
		{"future", nil, -ms, nil, ErrInvalid, time.Time{}},
		{"future, and given an age", nil, -ms, []Option{MaxAge(time.Hour)}, ErrInvalid, time.Time{}},
		{"future, but for ever", []Option{MaxAge(Infinite)}, -time.Hour, nil, nil, time.Time{}},
		{"future and no age", nil, -time.Hour, []Option{MaxAge(0)}, ErrExpired, time.Time{}},
		{"signed for ever", []Option{MaxAge(Infinite)}, 1e6 * time.Hour, nil, nil, time.Time{}},
		{"signed for ever, read for an hour", []Option{MaxAge(Infinite)}, time.Hour + ms, []Option{MaxAge(time.Hour)}, ErrExpired, time.Time{}},
		{"signed for an hour, read for ever", []Option{MaxAge(time.Hour)}, 1e6 * time.Hour, []Option{MaxAge(Infinite)}, nil, time.Time{}},
		{"read for longer", []Option{MaxAge(time.Minute)}, time.Hour, []Option{MaxAge(2 * time.Hour)}, nil, good(2 * time.Hour)},
		{"read for a fraction", nil, 500 * ms, []Option{MaxAge(500 * ms)}, nil, good(500 * ms)},
		{"read for less than a fraction", nil, 501 * ms, []Option{MaxAge(500 * ms)}, ErrExpired, time.Time{}},
		{"read for zero", nil, 0, []Option{MaxAge(0)}, ErrExpired, time.Time{}},
		{"read for less than zero", nil, 0, []Option{MaxAge(-1)}, ErrExpired, time.Time{}},
		{"signed for zero", []Option{MaxAge(0)}, 0, nil, ErrExpired, time.Time{}},
		{"signed for less than zero", []Option{MaxAge(-time.Second)}, 0, nil, ErrExpired, time.Time{}},
		{"signed for one second", []Option{MaxAge(time.Second)}, time.Second, nil, nil, good(time.Second)},
	} {
		for _, f := range forms {
			t.Run(tt.name+"/"+f.name, func(t *testing.T) {
				k := newKeys(t, &Options{Now: at(signedAt.Add(tt.now))})
				tok, err := f.make(k, testSalt, 1, append(tt.sign, SignedAt(signedAt))...)
				if err != nil {
					t.Fatal(err)
				}
				c, err := f.read(k, testSalt, tok, tt.verify...)
				if !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				if err != nil {
					return
				}
				if !c.ExpiresAt.Equal(tt.expires) || !c.SignedAt.Equal(signedAt) {
					t.Errorf("claims %+v, want expiry %v", c, tt.expires)
				}
				if c.Expired(signedAt.Add(tt.now)) {
					t.Error("expired when it was verified")
				}
				if !c.ExpiresAt.IsZero() && (c.Expired(c.ExpiresAt) || !c.Expired(c.ExpiresAt.Add(ms))) {
					t.Error("Expired draws the line elsewhere")
				}
			})
		}
	}
}

// TestOddAges has times and ages that Sign does not write: floats, as Elixir may, and numbers that
// are too large.
func TestOddAges(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 100)
	low := new(big.Int).Neg(huge)
	now := signedAt.UnixMilli()
	for _, tt := range []struct {
		signed, age any
		want        error
	}{
		{now, 0.0001, nil},
		{now - 1, 0.0001, ErrExpired},
		{now - 1500, 1.5, nil},
		{now - 1501, 1.5, ErrExpired},
		{now, -0.5, ErrExpired},
		{now, 0.0, ErrExpired},
		{now, 1e300, nil},
		{now, -1e300, ErrExpired},
		{now, huge, nil},
		{now, low, ErrExpired},
		{now, int64(1) << 62, nil},
		{now, -int64(1) << 63, ErrExpired},
		{huge, 60, ErrInvalid},
		{huge, infinity, nil},
		{low, 60, ErrExpired},
		{low, huge, ErrExpired},
		{low, infinity, nil},
		{int64(0), 60, ErrExpired},
	} {
		k := newKeys(t, &Options{Now: at(signedAt)})
		plain, err := encodeTerm(Tuple{1, tt.signed, tt.age}, false)
		if err != nil {
			t.Fatal(err)
		}
		c, err := k.claims(plain, nil)
		if !errors.Is(err, tt.want) {
			t.Errorf("signed at %v for %v: %v, want %v", tt.signed, tt.age, err, tt.want)
		}
		if err == nil && c.Expired(signedAt) {
			t.Errorf("signed at %v for %v: expired claims %+v", tt.signed, tt.age, c)
		}
	}
}

func TestRotation(t *testing.T) {
	first, second, third := strings.Repeat("1", 32), strings.Repeat("2", 32), strings.Repeat("3", 32)
	old := newKeys(t, nil, first)
	both := newKeys(t, nil, second, first)
	after := newKeys(t, nil, third, second)
	for _, f := range forms {
		fromOld, err := f.make(old, testSalt, 1)
		if err != nil {
			t.Fatal(err)
		}
		fromBoth, err := f.make(both, testSalt, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name string
			k    *Keys
			tok  string
			want error
		}{
			{"old by old", old, fromOld, nil},
			{"old by both", both, fromOld, nil},
			{"new by both", both, fromBoth, nil},
			{"new by old", old, fromBoth, ErrInvalid},
			{"new by after", after, fromBoth, nil},
			{"old by after", after, fromOld, ErrInvalid},
		} {
			if _, err := f.read(tt.k, testSalt, tt.tok); !errors.Is(err, tt.want) {
				t.Errorf("%s, %s: %v, want %v", f.name, tt.name, err, tt.want)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	k := newKeys(t, nil)
	for _, f := range forms {
		if _, err := f.make(k, testSalt, 1, MaxAge(1500*time.Millisecond)); err == nil {
			t.Errorf("%s: a max age of 1.5 s", f.name)
		}
		if _, err := f.make(k, testSalt, strings.Repeat("x", MaxLength)); err == nil {
			t.Errorf("%s: a token over MaxLength", f.name)
		}
		if _, err := f.make(k, testSalt, time.Now()); err == nil {
			t.Errorf("%s: a time.Time", f.name)
		}
		// Data at the bound can be read again.
		tok, err := f.make(k, testSalt, strings.Repeat("x", MaxLength*3/4-100))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.read(k, testSalt, tok); err != nil {
			t.Errorf("%s: %d bytes: %v", f.name, len(tok), err)
		}
	}
}

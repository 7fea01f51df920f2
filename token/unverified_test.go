package token

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseUnverified(t *testing.T) {
	k := newKeys(t, nil)
	sign := func(data any, opts ...Option) string {
		tok, err := k.Sign(testSalt, data, append(opts, SignedAt(signedAt))...)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	key, err := k.ring().key(0, testSalt)
	if err != nil {
		t.Fatal(err)
	}
	withAge := func(age any) string {
		plain, err := encodeTerm(Tuple{42, signedAt.UnixMilli(), age}, false)
		if err != nil {
			t.Fatal(err)
		}
		return signMessage(key, plain)
	}
	for _, tt := range []struct {
		name, token string
		want        Unverified
	}{
		{"Phoenix's", signed42, Unverified{int64(42), signedAt, defaultMaxAge}},
		{"for ever", sign("x", MaxAge(Infinite)), Unverified{"x", signedAt, Infinite}},
		{"long expired", sign(nil, MaxAge(time.Second)), Unverified{nil, signedAt, time.Second}},
		{"another's signature", signed42[:len(signed42)-4] + "AAAA", Unverified{int64(42), signedAt, defaultMaxAge}},
		{"no signature", signed42[:strings.LastIndex(signed42, ".")+1], Unverified{int64(42), signedAt, defaultMaxAge}},
		{"age below zero", withAge(-5), Unverified{int64(42), signedAt, 0}},
		{"age beyond a Duration", withAge(int64(math.MaxInt64)), Unverified{int64(42), signedAt, Infinite}},
		{"age in fractions", withAge(1.5), Unverified{int64(42), signedAt, 1500 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseUnverified(tt.token)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got %+v, want %+v", *got, tt.want)
			}
		})
	}
}

func TestParseUnverifiedRefuses(t *testing.T) {
	body := strings.Split(signed42, ".")[1]
	for tok, want := range map[string]error{
		"":                            ErrMissing,
		crypted42:                     ErrEncrypted,
		legacy42:                      ErrEncrypted,
		"XCP.":                        ErrEncrypted,
		"a.b.c":                       ErrInvalid,
		"SFMyNTY.":                    ErrInvalid,
		"SFMyNTY." + body + ".!":      ErrInvalid,
		"SFMyNTY." + body + ".AAAA.x": ErrInvalid,
		"SFMyNTY.!.AAAA":              ErrInvalid,
		"SFMyNTY.AAAA.AAAA":           ErrInvalid,
		signedCookie:                  ErrInvalid,
		"SFMyNTY." + strings.Repeat("A", MaxLength) + ".AAAA": ErrInvalid,
	} {
		u, err := ParseUnverified(tok)
		if !errors.Is(err, want) {
			t.Errorf("%.60q: %+v, %v", tok, u, err)
		}
	}
	// The same bounds hold for ParseUnverified.
	for name, term := range hostile(t) {
		tok := "SFMyNTY." + b64.EncodeToString(term) + ".AAAA"
		if u, err := ParseUnverified(tok); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
}

package token

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
)

const (
	csrfSecret   = "MDEyMzQ1Njc4OWFiY2RlZmdo"
	csrfToken    = "LxMDAyxIYFktWBdAFg8IGztlFBY7X1UHbWFza21hc2ttYXNrbWFza21h"
	signedCookie = "SFMyNTY.g3QAAAADbQAAAAtfY3NyZl90b2tlbm0AAAAYTURFeU16UTFOamM0T1dGaVkyUmxabWRvbQAAAAVmbGFzaHQAAAABZAAEaW5mb20AAAACaGltAAAAB3VzZXJfaWRhBw.V8fA3mJcpRhTKXA-l5IgtLA3a80sLf_4Hp73LT5R7dA"
	legacyCookie = "QTEyOEdDTQ.yJC1g45KYfgq7IPZRdx3brbrOJfbBS8jwwAOdI9rJcd3cmFwLWl2LTAwMDE.Ym9keS1pdi0wMDAx.Z8c7lGqx48GRAIO8yhIte-tNbUIa44tz7DxCnC3AzrrLEPbtsU5Q7CExUo1RtIc5RcB1JskE2Yh-CiOEA9G8KgS4CIBcX1On2f9D1IwffL3anwx3-DOlgbdXPEFtag.YpCvZjPqaFvFUkO2HcuFOw"
)

// session is the data of the cookies.
var session = map[string]any{csrfKey: csrfSecret, "user_id": int64(7), "flash": Map{Atom("info"): "hi"}}

func newReader(t testing.TB, encryptionSalt string, secrets ...string) *CookieReader {
	t.Helper()
	if len(secrets) == 0 {
		secrets = []string{secretBase}
	}
	c, err := NewCookieReader(secrets, &CookieOptions{SigningSalt: "signing salt", EncryptionSalt: encryptionSalt})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// encryptedCookie writes a cookie as Plug does today.
func encryptedCookie(t testing.TB, data any) string {
	t.Helper()
	c := newReader(t, "encryption salt")
	key, err := c.ring().key(0, c.encrypt)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := encodeTerm(data, false)
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := encryptMessage(key, plain)
	if err != nil {
		t.Fatal(err)
	}
	return cookie
}

func TestCookieReader(t *testing.T) {
	other := strings.Repeat("o", 64)
	for _, tt := range []struct {
		name    string
		reader  *CookieReader
		cookie  string
		want    error
		nothing bool
	}{
		{"signed", newReader(t, ""), signedCookie, nil, false},
		{"encrypted", newReader(t, "encryption salt"), encryptedCookie(t, session), nil, false},
		{"legacy", newReader(t, "encryption salt"), legacyCookie, nil, false},
		{"signed, second secret", newReader(t, "", other, secretBase), signedCookie, nil, false},
		{"encrypted, second secret", newReader(t, "encryption salt", other, secretBase), encryptedCookie(t, session), nil, false},
		{"legacy, second secret", newReader(t, "encryption salt", other, secretBase), legacyCookie, nil, false},
		{"other secret", newReader(t, "", other), signedCookie, ErrInvalid, false},
		{"signed where encrypted is wanted", newReader(t, "encryption salt"), signedCookie, ErrInvalid, false},
		{"encrypted where signed is wanted", newReader(t, ""), encryptedCookie(t, session), ErrInvalid, false},
		{"other encryption salt", newReader(t, "salt"), legacyCookie, ErrInvalid, false},
		{"missing", newReader(t, ""), "", ErrMissing, false},
		{"missing, encrypted", newReader(t, "encryption salt"), "", ErrMissing, false},
		{"empty session", newReader(t, "encryption salt"), encryptedCookie(t, Map{}), nil, true},
		{"not a map", newReader(t, "encryption salt"), encryptedCookie(t, Tuple{1, 2, 3}), ErrInvalid, false},
		{"atom keys", newReader(t, "encryption salt"), encryptedCookie(t, map[Atom]int{"a": 1}), ErrInvalid, false},
	} {
		got, err := tt.reader.Read(tt.cookie)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			continue
		}
		want := session
		if tt.nothing {
			want = map[string]any{}
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", tt.name, got, want)
		}
	}
}

// TestLegacyCookieSalt reads the older form, whose wrapped key depends on the signing salt.
func TestLegacyCookieSalt(t *testing.T) {
	c, err := NewCookieReader([]string{secretBase}, &CookieOptions{SigningSalt: "other", EncryptionSalt: "encryption salt"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(legacyCookie); err != ErrInvalid {
		t.Error(err)
	}
}

// TestTokenIsNoCookie reads a token as a cookie with the same salt, and the other way round: both fail.
func TestTokenIsNoCookie(t *testing.T) {
	k := newKeys(t, nil)
	tok, err := k.Sign("signing salt", session)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newReader(t, "").Read(tok); !errors.Is(err, ErrInvalid) {
		t.Errorf("a token as a cookie: %v", err)
	}
	if _, err := k.Verify("signing salt", signedCookie); !errors.Is(err, ErrInvalid) {
		t.Errorf("a cookie as a token: %v", err)
	}
}

func TestNewCookieReaderRefuses(t *testing.T) {
	good := []string{secretBase}
	for _, tt := range []struct {
		secrets []string
		opts    CookieOptions
	}{
		{nil, CookieOptions{SigningSalt: "s"}},
		{[]string{secretBase[1:]}, CookieOptions{SigningSalt: "s"}},
		{good, CookieOptions{}},
		{good, CookieOptions{EncryptionSalt: "e"}},
		{good, CookieOptions{SigningSalt: "s", EncryptionSalt: "e", KeyLength: 64}},
		{good, CookieOptions{SigningSalt: "s", KeyIterations: -1}},
	} {
		if _, err := NewCookieReader(tt.secrets, &tt.opts); err == nil {
			t.Errorf("%+v: no error", tt.opts)
		}
	}
	if _, err := NewCookieReader(good, nil); err == nil {
		t.Error("no options: no error")
	}
}

// maskCSRF returns the token that a page gets.
func maskCSRF(secret, mask string) string {
	b := []byte(secret)
	for i := range b {
		b[i] ^= mask[i]
	}
	return base64.RawURLEncoding.EncodeToString(b) + mask
}

func TestCheckCSRF(t *testing.T) {
	if got := maskCSRF(csrfSecret, csrfToken[32:]); got != csrfToken {
		t.Fatal(got)
	}
	for _, tt := range []struct {
		name, secret, token string
		want                bool
	}{
		{"match", csrfSecret, csrfToken, true},
		{"other mask", csrfSecret, maskCSRF(csrfSecret, "abcdefghijklmnopqrstuvwx"), true},
		{"other secret", "MDEyMzQ1Njc4OWFiY2RlZmdp", csrfToken, false},
		{"secret itself", csrfSecret, csrfSecret, false},
		{"no token", csrfSecret, "", false},
		{"no secret", "", csrfToken, false},
		{"neither", "", "", false},
		{"short", csrfSecret, csrfToken[:55], false},
		{"long", csrfSecret, csrfToken + "A", false},
		{"not base64", csrfSecret, "!" + csrfToken[1:], false},
		{"line breaks", csrfSecret, "\r\n\r\n" + csrfToken[4:], false},
	} {
		if got := CheckCSRF(map[string]any{csrfKey: tt.secret}, tt.token); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	for _, odd := range []map[string]any{nil, {}, {csrfKey: 7}, {csrfKey: nil}} {
		if CheckCSRF(odd, csrfToken) {
			t.Errorf("%v matches", odd)
		}
	}
	for i := range len(csrfToken) {
		for bit := range 8 {
			b := []byte(csrfToken)
			b[i] ^= 1 << bit
			if CheckCSRF(session, string(b)) {
				t.Errorf("bit %d of byte %d does not matter", bit, i)
			}
		}
	}
}

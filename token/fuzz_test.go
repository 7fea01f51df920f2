package token

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// FuzzTerm reads any bytes, and writes the value again: the result must be read as the same value.
func FuzzTerm(f *testing.F) {
	for _, b := range hostile(f) {
		if len(b) < 4096 {
			f.Add(b)
		}
	}
	for _, b := range []string{
		"836803612a6e06000068e5cf8b016200015180", "836b0003010203", "836c00000002610162000001006a", "83463ff8000000000000",
		"837400000003770161610162000001006a6d0000000161770474727565", "836f0000000101ff", "8373016183", "83760002c3a9",
		"8350000000dd789ccb60ce6560603891384c401e1b0343c6d3f3dd8c490c8c810d00693a51b9",
	} {
		f.Add(unhex(f, b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decodeTerm(b)
		if err != nil {
			return
		}
		for _, old := range []bool{false, true} {
			written, err := encodeTerm(v, old)
			if errors.Is(err, errSize) {
				continue // atoms and lists may grow
			}
			if err != nil {
				t.Fatalf("%#v is not written: %v", v, err)
			}
			again, err := decodeTerm(written)
			if err != nil || !reflect.DeepEqual(again, v) {
				t.Fatalf("%#v is written as %x and read as %#v, %v", v, written, again, err)
			}
		}
	})
}

// FuzzVerify reads any token, signed, encrypted or a cookie. Only the tokens that it knows verify, and
// the errors are those of the package.
func FuzzVerify(f *testing.F) {
	known := map[string]bool{"": true}
	for _, s := range []string{signed42, crypted42, legacy42, signedCookie, legacyCookie} {
		known[s] = true
		f.Add(testSalt, s)
	}
	for _, s := range []string{"", "a.b.c", "SFM1MTI.g2o.AAAA", "XCP.AAAA", "QTEyOEdDTQ.A.A.A.A"} {
		f.Add("", s)
	}
	k := newKeys(f, &Options{KeyIterations: 1})
	signed, encrypted := newReader(f, ""), newReader(f, "encryption salt")
	f.Fuzz(func(t *testing.T, salt, tok string) {
		if known[tok] {
			return
		}
		if u, err := ParseUnverified(tok); (u == nil) == (err == nil) || u != nil && u.MaxAge < 0 {
			t.Fatalf("%q unverified: %+v, %v", tok, u, err)
		}
		_, e1 := k.Verify(salt, tok)
		_, e2 := k.Decrypt(salt, tok)
		_, e3 := signed.Read(tok)
		_, e4 := encrypted.Read(tok)
		for _, err := range []error{e1, e2, e3, e4} {
			if err != ErrInvalid {
				t.Fatalf("%q: %v", tok, err)
			}
		}
	})
}

// FuzzPayload signs any bytes, as somebody with the secret could. If a token is accepted, it is not
// expired at the time of the clock.
func FuzzPayload(f *testing.F) {
	for _, b := range []string{"836803612a6e06000068e5cf8b016200015180", "836802612a6e06000068e5cf8b01", "836803612a61007708696e66696e697479",
		"836803612a6e06000068e5cf8b01463ff8000000000000", "837400000002770464617461612a77067369676e65646e06000068e5cf8b01"} {
		f.Add(unhex(f, b), int64(1_700_000_000_000))
	}
	f.Fuzz(func(t *testing.T, plain []byte, now int64) {
		clock := time.UnixMilli(now)
		k := newKeys(t, &Options{KeyIterations: 1, Now: at(clock)})
		key, err := k.ring().key(0, testSalt)
		if err != nil {
			t.Fatal(err)
		}
		tok := signMessage(key, plain)
		c, err := k.Verify(testSalt, tok)
		switch {
		case err == nil:
			if u, err := ParseUnverified(tok); err != nil || !reflect.DeepEqual(u.Data, c.Data) || !u.SignedAt.Equal(c.SignedAt) {
				t.Fatalf("%x: %+v, and unverified %+v, %v", plain, c, u, err)
			}
			if c.Expired(clock) || !c.ExpiresAt.IsZero() && c.SignedAt.After(clock) {
				t.Fatalf("%x at %v: %+v", plain, clock, c)
			}
			_, _ = As[Map](c, nil)
		case !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrExpired):
			t.Fatalf("%x: %v", plain, err)
		}
	})
}

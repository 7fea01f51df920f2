package token

import (
	"crypto"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

const (
	testSalt  = "user auth"
	signed42  = "SFMyNTY.g2gDYSpuBgAAaOXPiwFiAAFRgA.Rn3K52Xm55OI0TRjqy2gA8wTTACuNRO0LkboqSuWaeQ"
	crypted42 = "XCP.NulH4YmD6rJV-imrtoRPJvylSqu7g5rjBDRLmCaJ9QJ2KORcQLLYhQjKPMIbPmcDOm1xJuff5F5sO6g"
	legacy42  = "QTEyOEdDTQ._3GRyV9toQq2undvOpADpTI50vCtty0VeV9z_nlTYQV3cmFwLWl2LTAwMDE.Ym9keS1pdi0wMDAx.Z9s49UDciMGRaG0sImA9HbVogg.jCmT85qCfYrXYsg7KxK_Ow"
)

// signedAt is the time at which the vectors were signed.
var signedAt = time.Unix(1_700_000_000, 0)

// secretBase is the secret of the vectors.
var secretBase = strings.Repeat("k", 64)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// newKeys makes Keys whose clock stands still, a second after the vectors were signed.
func newKeys(t testing.TB, opts *Options, secrets ...string) *Keys {
	t.Helper()
	if opts == nil {
		opts = &Options{}
	}
	if opts.Now == nil {
		opts.Now = at(signedAt.Add(time.Second))
	}
	if len(secrets) == 0 {
		secrets = []string{secretBase}
	}
	k, err := New(secrets, opts)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDerivedKey(t *testing.T) {
	key, err := newKeys(t, nil).ring().key(0, testSalt)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(key), "f1760837e9b24804e177e033436aa8e39a423ccdb7d6af888f98faa1f7962af4"; got != want {
		t.Errorf("key is %s, want %s", got, want)
	}
}

func TestPlaintext(t *testing.T) {
	plain, err := newKeys(t, nil).plaintext(42, []Option{SignedAt(signedAt)})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(plain), "836803612a6e06000068e5cf8b016200015180"; got != want {
		t.Errorf("plaintext is %s, want %s", got, want)
	}
}

// TestPhoenixTokens has tokens that Phoenix made. They verify. Where Sign can write the data in the
// same way, it makes the same bytes.
func TestPhoenixTokens(t *testing.T) {
	long := Options{KeyDigest: crypto.SHA512, KeyIterations: 2000, KeyLength: 64}
	for _, tt := range []struct {
		name  string
		opts  Options
		token string
		want  any
		age   time.Duration // Infinite, or zero for the default
		data  any           // what to sign; nil for none
	}{
		{"42", Options{}, signed42, int64(42), 0, 42},
		{"string for ever, OTP 25", Options{OldAtoms: true},
			"SFMyNTY.g2gDbQAAAAZ1c2VyLTFuBgAAaOXPiwFkAAhpbmZpbml0eQ.75fVvsARRCnGmwifsWG5w5UNlDdpz5CurthEtoWI7Sc",
			"user-1", Infinite, "user-1"},
		{"map, OTP 25", Options{OldAtoms: true},
			"SFMyNTY.g2gDdAAAAAJkAAJpZGEBZAAEbmFtZW0AAAADYm9ibgYAAGjlz4sBYgABUYA.pf0pDcWw9tshPtBF7__Cj0n4eFuOhPeYExygQ-VkKis",
			Map{Atom("id"): int64(1), Atom("name"): "bob"}, 0, map[Atom]any{"name": "bob", "id": 1}},
		{"other key", long, "SFMyNTY.g2gDYSpuBgAAaOXPiwFiAAFRgA.34HKoPjQeI3N6Mj6Yj_ffV7snegQT7zITSJ04a_Impg", int64(42), 0, 42},
		{"60 s", Options{MaxAge: time.Minute}, "SFMyNTY.g2gDYSpuBgAAaOXPiwFhPA.9oGReYHsmmXaQkoqS5oxmsQ0cQnbMYlKgZnZ_oSZE_k", int64(42), time.Minute, 42},
		{"HS384", Options{}, "SFMzODQ.g2gDYSpuBgAAaOXPiwFiAAFRgA.9IQQOefNmcfPoJjl5bzEO1IWVAXSsUzgB8mryFLK2-5fayoy9frOmeCDKZyuH7EQ", int64(42), 0, nil},
		{"HS512", Options{}, "SFM1MTI.g2gDYSpuBgAAaOXPiwFiAAFRgA.mafcsIlbd56WJV-VcG3gKdwJ8ZYKVIKp8lJ3lulOOUwa5nYAu4nCwPxT4JaEwss-2qTPR7IugkVh73l2dqZ9fQ", int64(42), 0, nil},
		{"tuple of two", Options{}, "SFMyNTY.g2gCYSpuBgAAaOXPiwE._c-N5tktdd3UmxTvG62_jg3ELhuAyhdD0d1cAZp7gbU", int64(42), 0, nil},
		{"map of data and signed", Options{}, "SFMyNTY.g3QAAAACZAAEZGF0YWEqZAAGc2lnbmVkbgYAAGjlz4sB.aOASHtCyqwj1EC_Vcg_eAOSEX3sdLS9iAghQ4uCQ1V4", int64(42), 0, nil},
		{"compressed", Options{}, "SFMyNTY.g1AAAADdeJzLYM5lYGA4kThMQB4bA0PG0_PdjEkMjIENAGk6Ubk.FjXfILkw0ZfpY2fIWYhAjIGU3s2T3xr4dM3TSrdGuW4",
			strings.Repeat("a", 200), 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newKeys(t, &tt.opts)
			c, err := k.Verify(testSalt, tt.token)
			if err != nil {
				t.Fatal(err)
			}
			age := tt.age
			if age == 0 {
				age = defaultMaxAge
			}
			want := Claims{Data: tt.want, SignedAt: signedAt, ExpiresAt: signedAt.Add(age)}
			if age == Infinite {
				want.ExpiresAt = time.Time{}
			}
			if !reflect.DeepEqual(*c, want) {
				t.Errorf("claims are %+v, want %+v", *c, want)
			}
			if tt.data == nil {
				return
			}
			made, err := k.Sign(testSalt, tt.data, SignedAt(signedAt), MaxAge(age))
			if err != nil {
				t.Fatal(err)
			}
			if made != tt.token {
				t.Errorf("made %s, want %s", made, tt.token)
			}
		})
	}
}

func TestCompressedVector(t *testing.T) {
	got, err := decodeTerm(unhex(t, "8350000000dd789ccb60ce6560603891384c401e1b0343c6d3f3dd8c490c8c810d00693a51b9"))
	want := Tuple{strings.Repeat("a", 200), int64(1_700_000_000_000), int64(86400)}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// TestDecryptPhoenix reads tokens that Phoenix encrypted, and the older form, written with AES of
// Erlang, with content keys of each size.
func TestDecryptPhoenix(t *testing.T) {
	k := newKeys(t, nil)
	for name, tok := range map[string]string{
		"XCP":        crypted42,
		"legacy 128": legacy42,
		"legacy 192": "QTEyOEdDTQ._3GRyV9toQq2undvOpADpYMj0_QroHkOucMhu2mEbwQ4iUFK5H4zd3dyYXAtaXYtMDAwMQ.Ym9keS1pdi0wMDAx.SgBII8iBTxb2AAzV3huM7zcq2Q.-B2_lYRAPMYLrfIkS103Uw",
		"legacy 256": "QTEyOEdDTQ._3GRyV9toQq2undvOpADpYMj0_QroHkOGqE9razXrkEpfP1wJ5mfnrS4MqRYcbj0d3JhcC1pdi0wMDAx.Ym9keS1pdi0wMDAx.S-qY5ux0kxhTmNdBnSKjttPEZw.uzz9AOfKnYzcQQTsClMKug",
	} {
		t.Run(name, func(t *testing.T) {
			if n, err := As[int64](k.Decrypt(testSalt, tok)); n != 42 || err != nil {
				t.Errorf("got %v, %v", n, err)
			}
			if _, err := k.Decrypt("other", tok); !errors.Is(err, ErrInvalid) {
				t.Errorf("other salt: %v", err)
			}
			if _, err := k.Verify(testSalt, tok); !errors.Is(err, ErrInvalid) {
				t.Errorf("verified: %v", err)
			}
		})
	}
	if _, err := k.Decrypt(testSalt, signed42); !errors.Is(err, ErrInvalid) {
		t.Errorf("signed token: %v", err)
	}
}

// TestEncryptLayout opens an encrypted token by hand, with the nonce, tag and ciphertext in the
// places where Phoenix has them.
func TestEncryptLayout(t *testing.T) {
	k := newKeys(t, nil)
	tok, err := k.Encrypt(testSalt, 42, SignedAt(signedAt))
	if err != nil {
		t.Fatal(err)
	}
	if len(tok) != len(crypted42) || !strings.HasPrefix(tok, "XCP.") {
		t.Fatalf("%s, want the shape of %s", tok, crypted42)
	}
	// Phoenix's token has the same plaintext.
	key, _ := k.ring().key(0, testSalt)
	for _, tok := range []string{tok, crypted42} {
		b, _ := decode64(tok[4:])
		plain, ok := open(key, [][]byte{b})
		if got := hex.EncodeToString(plain); !ok || got != "836803612a6e06000068e5cf8b016200015180" {
			t.Errorf("plaintext is %s", got)
		}
	}
	again, err := k.Encrypt(testSalt, 42, SignedAt(signedAt))
	if err != nil || again == tok {
		t.Errorf("the same token twice, %v", err)
	}
}

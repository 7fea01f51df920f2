package token

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNewRefuses(t *testing.T) {
	good := []string{secretBase}
	for _, tt := range []struct {
		name    string
		secrets []string
		opts    *Options
	}{
		{"no secrets", nil, nil},
		{"too many", strings.Split(strings.Repeat(secretBase+" ", 16)+secretBase, " "), nil},
		{"empty", []string{""}, nil},
		{"short", []string{strings.Repeat("s", 19)}, nil},
		{"second short", []string{secretBase, "s"}, nil},
		{"digest", good, &Options{KeyDigest: crypto.MD5}},
		{"iterations", good, &Options{KeyIterations: -1}},
		{"negative length", good, &Options{KeyLength: -1}},
		{"short keys", good, &Options{KeyLength: 8}},
		{"long keys", good, &Options{KeyLength: 1 << 20}},
		{"negative age", good, &Options{MaxAge: -time.Second}},
		{"fraction", good, &Options{MaxAge: time.Millisecond}},
	} {
		_, err := New(tt.secrets, tt.opts)
		if err == nil {
			t.Errorf("%s: no error", tt.name)
		} else if len(tt.secrets) > 0 && len(tt.secrets[0]) > 1 && strings.Contains(err.Error(), tt.secrets[0]) {
			t.Errorf("%s: the error quotes the secret: %v", tt.name, err)
		}
	}
	if _, err := New([]string{""}, nil); err == nil || !strings.Contains(err.Error(), "is the environment variable set") {
		t.Errorf("of an empty secret: %v", err)
	}
	if _, err := New([]string{strings.Repeat("s", 20)}, nil); err != nil {
		t.Errorf("20 bytes: %v", err)
	}
}

func TestNewCopiesSecrets(t *testing.T) {
	secrets := []string{secretBase}
	k, err := New(secrets, &Options{Now: at(signedAt)})
	if err != nil {
		t.Fatal(err)
	}
	secrets[0] = strings.Repeat("x", 64)
	if _, err := k.Verify(testSalt, signed42); err != nil {
		t.Error(err)
	}
}

func TestKeyLengthForEncryption(t *testing.T) {
	k := newKeys(t, &Options{KeyLength: 64})
	if _, err := k.Encrypt(testSalt, 1); err == nil {
		t.Error("encrypted with a key of 64 bytes")
	}
	if _, err := k.Decrypt(testSalt, crypted42); err == nil {
		t.Error("decrypted with a key of 64 bytes")
	}
}

// TestSecretsAreNotPrinted prints the types that hold secrets with all verbs and loggers.
func TestSecretsAreNotPrinted(t *testing.T) {
	const canary = "canary-canary-canary-canary-canary-canary-canary-canary-canary-canary"
	k := newKeys(t, nil, canary)
	if _, err := k.Sign(testSalt, 1); err != nil { // so that there is a derived key
		t.Fatal(err)
	}
	cookies, err := NewCookieReader([]string{canary}, &CookieOptions{SigningSalt: "s"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := k.ring().key(0, testSalt)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{"canary", fmt.Sprintf("%x", "canary"), fmt.Sprintf("%X", "canary"), fmt.Sprint([]byte("canary"))[1:20],
		fmt.Sprint(key)[1:20], fmt.Sprintf("%x", key)[:8], string(key[:8])}

	var out bytes.Buffer
	for _, v := range []any{k, *k, cookies, *cookies, struct{ k *Keys }{k}, struct{ k Keys }{*k}, []*Keys{k}, map[string]any{"k": k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%T", "%p", "%t", "%08b"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("keys", "keys", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("keys", "keys", v)
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
	}
	for _, s := range secrets {
		if strings.Contains(out.String(), s) {
			t.Errorf("%q is printed", s)
		}
	}
}

// TestKeyCache lets many goroutines ask for keys of more salts than are kept.
func TestKeyCache(t *testing.T) {
	r, err := newKeyring([]string{secretBase, strings.Repeat("x", 64)}, 20, keyParams{iterations: 1})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2 * maxCachedSalts {
				// All goroutines use some of the salts, so that they meet in one entry.
				salt := strconv.Itoa(i)
				if i%2 == 0 {
					salt = strconv.Itoa(g) + "/" + salt
				}
				for s := range r.secrets {
					got, err := r.key(s, salt)
					want, _ := r.derive(s, salt)
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("salt %s, secret %d: %x, %v, want %x", salt, s, got, err, want)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(r.cache); n != maxCachedSalts {
		t.Errorf("%d salts kept, want %d", n, maxCachedSalts)
	}
	long := strings.Repeat("s", maxCachedSalt+1)
	if _, err := r.key(0, long); err != nil {
		t.Error(err)
	}
	if r.cache[long] != nil {
		t.Error("a long salt is kept")
	}
}

func TestKeyIsKept(t *testing.T) {
	k := newKeys(t, nil)
	a, _ := k.ring().key(0, testSalt)
	b, _ := k.ring().key(0, testSalt)
	if &a[0] != &b[0] {
		t.Error("derived twice")
	}
	// Only the key of the secret that was needed.
	both := newKeys(t, nil, secretBase, strings.Repeat("x", 64))
	if _, err := both.Verify(testSalt, signed42); err != nil {
		t.Fatal(err)
	}
	if both.ring().cache[testSalt].keys[1] != nil {
		t.Error("derived the key of a secret that was not asked")
	}
}

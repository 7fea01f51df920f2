package token

import (
	"crypto"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
)

const (
	// maxSecrets bounds what one forged token costs: each secret is tried.
	maxSecrets = 16
	// maxCachedSalts and maxCachedSalt bound the cache should a program let
	// its clients choose salts: 256 salts of at most 256 bytes.
	maxCachedSalts = 256
	maxCachedSalt  = 256
)

// keyring derives keys from secrets and salts and keeps what it derived, since a
// derivation costs a hundred times what a signature costs. Safe for concurrent
// use.
type keyring struct {
	secrets    []string
	newHash    func() hash.Hash
	iterations int
	length     int

	mu    sync.RWMutex
	cache map[string]*derived
}

// derived holds the keys of one salt, one for each secret, each made when it is
// first asked for: the keys of retired secrets mostly never are.
type derived struct {
	once []sync.Once
	keys [][]byte
	errs []error
}

// keyParams are the fields that Options and CookieOptions share.
type keyParams struct {
	digest     crypto.Hash
	iterations int
	length     int
}

func newKeyring(secrets []string, shortest int, p keyParams) (*keyring, error) {
	switch {
	case len(secrets) == 0:
		return nil, errors.New("bennu: tokens need a secret")
	case len(secrets) > maxSecrets:
		return nil, fmt.Errorf("bennu: %d secrets for tokens, at most %d are tried", len(secrets), maxSecrets)
	}
	for i, s := range secrets {
		if len(s) < shortest {
			hint := ""
			if s == "" {
				hint = "; is the variable set that it comes from?"
			}
			return nil, fmt.Errorf("bennu: secret %d for tokens has %d bytes, at least %d are needed%s", i+1, len(s), shortest, hint)
		}
	}
	r := &keyring{
		secrets:    append([]string(nil), secrets...),
		iterations: p.iterations,
		length:     p.length,
		cache:      make(map[string]*derived),
	}
	switch p.digest {
	case 0, crypto.SHA256:
		r.newHash = sha256.New
	case crypto.SHA384:
		r.newHash = sha512.New384
	case crypto.SHA512:
		r.newHash = sha512.New
	default:
		return nil, fmt.Errorf("bennu: key digest %v for tokens, want SHA-256, SHA-384 or SHA-512", p.digest)
	}
	if r.iterations == 0 {
		r.iterations = 1000
	}
	if r.iterations < 0 {
		return nil, fmt.Errorf("bennu: %d key iterations for tokens, want 1 or more", r.iterations)
	}
	if r.length == 0 {
		r.length = 32
	}
	if r.length < 16 || r.length > 1024 {
		return nil, fmt.Errorf("bennu: keys of %d bytes for tokens, want 16 to 1024", r.length)
	}
	return r, nil
}

// hide puts the secrets where no printing gets: package fmt follows pointers and
// unexported fields without asking for String, with %s for one, but it shows a
// function as an address.
func (r *keyring) hide() func() *keyring { return func() *keyring { return r } }

// key gives the key of the i-th secret for salt. The caller must not change it.
func (r *keyring) key(i int, salt string) ([]byte, error) {
	if len(salt) > maxCachedSalt {
		return r.derive(i, salt)
	}
	d := r.entry(salt)
	d.once[i].Do(func() { d.keys[i], d.errs[i] = r.derive(i, salt) })
	return d.keys[i], d.errs[i]
}

func (r *keyring) derive(i int, salt string) ([]byte, error) {
	key, err := pbkdf2.Key(r.newHash, r.secrets[i], []byte(salt), r.iterations, r.length)
	if err != nil {
		return nil, fmt.Errorf("bennu: derive a key for tokens: %w", err)
	}
	return key, nil
}

// entry finds the cache entry of salt or makes an empty one, so that callers who
// come together derive once and nobody derives under the lock.
func (r *keyring) entry(salt string) *derived {
	r.mu.RLock()
	d := r.cache[salt]
	r.mu.RUnlock()
	if d != nil {
		return d
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.cache[salt]; d != nil {
		return d
	}
	if len(r.cache) >= maxCachedSalts {
		// Any entry will do: a program with constant salts never gets here,
		// and under a flood of salts the victim is best not predictable.
		for victim := range r.cache {
			delete(r.cache, victim)
			break
		}
	}
	d = &derived{
		once: make([]sync.Once, len(r.secrets)),
		keys: make([][]byte, len(r.secrets)),
		errs: make([]error, len(r.secrets)),
	}
	// A clone, lest the salt keep a request alive that it was cut from.
	r.cache[strings.Clone(salt)] = d
	return d
}

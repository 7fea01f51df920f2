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
	// maxSecrets bounds the cost of a forged token, for which every secret is tried.
	maxSecrets = 16
	// maxCachedSalts bounds the number of salts in the cache, and maxCachedSalt the length of
	// each in bytes, in case a program lets its clients choose salts.
	maxCachedSalts = 256
	maxCachedSalt  = 256
)

// keyring derives keys from secrets and salts by PBKDF2, as Plug.Crypto.KeyGenerator does, and caches
// them, since a derivation costs a hundred times as much as a signature. It is safe for concurrent use.
type keyring struct {
	secrets    []string
	newHash    func() hash.Hash
	iterations int
	length     int

	mu    sync.RWMutex
	cache map[string]*derived
}

// derived has the keys of one salt, one for each secret. Each is derived when it is first needed. Those
// of old secrets seldom are.
type derived struct {
	once []sync.Once
	keys [][]byte
	errs []error
}

// keyParams are the fields that Options and CookieOptions share. 0 means the default.
type keyParams struct {
	digest     crypto.Hash
	iterations int
	length     int
}

// newKeyring checks the secrets, which must have at least shortest bytes, and the parameters. It copies
// secrets.
func newKeyring(secrets []string, shortest int, p keyParams) (*keyring, error) {
	switch {
	case len(secrets) == 0:
		return nil, errors.New("token: there is no secret")
	case len(secrets) > maxSecrets:
		return nil, fmt.Errorf("token: there are %d secrets; use at most %d", len(secrets), maxSecrets)
	}
	for i, s := range secrets {
		if len(s) < shortest {
			hint := ""
			if s == "" {
				hint = "; is the environment variable set?"
			}
			return nil, fmt.Errorf("token: secret %d has %d bytes; use at least %d%s", i+1, len(s), shortest, hint)
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
		return nil, fmt.Errorf("token: the key digest is %v; use SHA-256, SHA-384 or SHA-512", p.digest)
	}
	if r.iterations == 0 {
		r.iterations = 1000
	}
	if r.iterations < 0 {
		return nil, fmt.Errorf("token: the number of key iterations is %d; use 1 or more", r.iterations)
	}
	if r.length == 0 {
		r.length = 32
	}
	if r.length < 16 || r.length > 1024 {
		return nil, fmt.Errorf("token: the key length is %d; use 16 to 1024", r.length)
	}
	return r, nil
}

// hide returns a function that returns the keyring. Package fmt prints the unexported fields of a
// struct, and follows pointers in them, without calling String methods. It prints a function as an
// address.
func (r *keyring) hide() func() *keyring { return func() *keyring { return r } }

// key returns the key of the i-th secret for salt. The caller must not change it.
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
		return nil, fmt.Errorf("token: derive a key: %w", err)
	}
	return key, nil
}

// entry returns the cache entry of salt, or a new one without keys, so that concurrent callers
// derive a key once, and not under the lock.
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
		// Remove an entry at random. A program with constant salts does not get here; if
		// clients choose salts, they cannot predict which one is removed.
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
	// A clone, since the salt may share the memory of a request.
	r.cache[strings.Clone(salt)] = d
	return d
}

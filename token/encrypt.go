package token

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// encryptPrefix stands before XChaCha20-Poly1305.
	encryptPrefix = "XCP."
	// legacyPrefix stands before AES-GCM with a wrapped key: the base64 of
	// A128GCM. Old versions of Phoenix wrote it.
	legacyPrefix = "QTEyOEdDTQ."

	nonceSize   = chacha20poly1305.NonceSizeX
	tagSize     = chacha20poly1305.Overhead
	gcmIVSize   = 12
	gcmTagSize  = 16
	cryptKeyLen = chacha20poly1305.KeySize
)

// associated is authenticated with every ciphertext. It names a cipher that is
// no longer used; what is read must still carry it.
var associated = []byte("A128GCM")

// Encrypt makes a token that only holders of the secret can read. Salt is as for
// Sign. Sign and Encrypt derive the same key from the same salt, so give each its
// own.
//
// Errors are those of Sign, and an [Options] KeyLength other than 32.
func (k *Keys) Encrypt(salt string, data any, opts ...Option) (string, error) {
	plain, err := k.plaintext(data, opts)
	if err != nil {
		return "", err
	}
	key, err := k.ring().cryptKey(0, salt)
	if err != nil {
		return "", err
	}
	token, err := encryptMessage(key, plain)
	if err != nil {
		return "", err
	}
	return fits(token)
}

// Decrypt reads a token made with Encrypt, here or by Phoenix, in its present
// form or the older one with AES-GCM. Errors are those of Verify, and a
// KeyLength other than 32.
func (k *Keys) Decrypt(salt, token string, opts ...Option) (*Claims, error) {
	plain, err := k.ring().decrypt(salt, nil, token)
	if err != nil {
		return nil, err
	}
	return k.claims(plain, opts)
}

func (r *keyring) cryptKey(i int, salt string) ([]byte, error) {
	if r.length != cryptKeyLen {
		return nil, fmt.Errorf("bennu: encrypted tokens need keys of %d bytes, these have %d", cryptKeyLen, r.length)
	}
	return r.key(i, salt)
}

func encryptMessage(key, message []byte) (string, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return "", fmt.Errorf("bennu: encrypt a token: %w", err)
	}
	// Nonce, room for the tag, ciphertext. Go puts the tag at the end, so it is
	// moved afterwards.
	b := make([]byte, nonceSize+tagSize, nonceSize+tagSize+len(message)+tagSize)
	// It never fails: crypto/rand ends the program instead.
	_, _ = rand.Read(b[:nonceSize])
	b = aead.Seal(b, b[:nonceSize], message, associated)
	end := len(b) - tagSize
	copy(b[nonceSize:], b[end:])
	return encryptPrefix + b64.EncodeToString(b[:end]), nil
}

// decrypt gives the message of an encrypted token. signSalt is the salt of the
// second key that legacy tokens of cookies are bound to; nil for none.
func (r *keyring) decrypt(salt string, signSalt *string, token string) ([]byte, error) {
	switch {
	case token == "":
		return nil, ErrMissing
	case len(token) > MaxLength:
		return nil, errForged
	}
	var parts [][]byte
	body, legacy := strings.CutPrefix(token, legacyPrefix)
	if !legacy {
		var ok bool
		if body, ok = strings.CutPrefix(token, encryptPrefix); !ok {
			return nil, errForged
		}
	}
	for part := range strings.SplitSeq(body, ".") {
		b, ok := decode64(part)
		if !ok || len(parts) == 4 {
			return nil, errForged
		}
		parts = append(parts, b)
	}
	for i := range r.secrets {
		key, err := r.cryptKey(i, salt)
		if err != nil {
			return nil, err
		}
		var plain []byte
		var ok bool
		if legacy {
			var signKey []byte
			if signSalt != nil {
				if signKey, err = r.key(i, *signSalt); err != nil {
					return nil, err
				}
			}
			plain, ok = openLegacy(key, signKey, parts)
		} else {
			plain, ok = open(key, parts)
		}
		if ok {
			return plain, nil
		}
	}
	return nil, errForged
}

// open opens nonce, tag and ciphertext, in this order.
func open(key []byte, parts [][]byte) ([]byte, bool) {
	if len(parts) != 1 || len(parts[0]) < nonceSize+tagSize {
		return nil, false
	}
	b := parts[0]
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, false
	}
	// A copy, since another secret may have to try the same bytes.
	sealed := make([]byte, 0, len(b)-nonceSize)
	sealed = append(sealed, b[nonceSize+tagSize:]...)
	sealed = append(sealed, b[nonceSize:nonceSize+tagSize]...)
	plain, err := aead.Open(nil, b[:nonceSize], sealed, associated)
	return plain, err == nil
}

// openLegacy opens the wrapped key, which is ciphertext, tag and IV, and with it
// the message, which is given as IV, ciphertext and tag.
func openLegacy(key, signKey []byte, parts [][]byte) ([]byte, bool) {
	if len(parts) != 4 {
		return nil, false
	}
	wrapped, iv, ciphertext, tag := parts[0], parts[1], parts[2], parts[3]
	end := len(wrapped) - gcmIVSize
	// A content key that AES has no size for fails as one when it is used.
	if end < gcmTagSize {
		return nil, false
	}
	contentKey, ok := openGCM(key, wrapped[end:], wrapped[:end-gcmTagSize], wrapped[end-gcmTagSize:end], signKey)
	if !ok {
		return nil, false
	}
	return openGCM(contentKey, iv, ciphertext, tag, associated)
}

func openGCM(key, iv, ciphertext, tag, associated []byte) ([]byte, bool) {
	// The cipher panics on an IV of another size.
	if len(iv) != gcmIVSize || len(tag) != gcmTagSize {
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, false
	}
	sealed := append(append(make([]byte, 0, len(ciphertext)+len(tag)), ciphertext...), tag...)
	plain, err := gcm.Open(nil, iv, sealed, associated)
	return plain, err == nil
}

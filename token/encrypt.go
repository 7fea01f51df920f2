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
	// encryptPrefix marks tokens that are encrypted with XChaCha20-Poly1305.
	encryptPrefix = "XCP."
	// legacyPrefix, the base64 of "A128GCM", marks tokens of old versions of Phoenix, which are
	// encrypted with AES-GCM and a wrapped key.
	legacyPrefix = "QTEyOEdDTQ."

	nonceSize   = chacha20poly1305.NonceSizeX
	tagSize     = chacha20poly1305.Overhead
	gcmIVSize   = 12
	gcmTagSize  = 16
	cryptKeyLen = chacha20poly1305.KeySize
)

// associated is the associated data of every ciphertext. It names a cipher that is no longer
// used, but Phoenix still writes and checks it.
var associated = []byte("A128GCM")

// Encrypt returns a token that can be read only with the secret. The salt is as for Sign, but do not
// use the same one for both: they would use the same key.
//
// The errors are those of Sign, and one if KeyLength in [Options] is not 32.
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

// Decrypt reads a token that Encrypt or Phoenix.Token.encrypt has made, also one of an old version of
// Phoenix, which used AES-GCM. The errors are those of Verify, and one if KeyLength in [Options] is
// not 32.
func (k *Keys) Decrypt(salt, token string, opts ...Option) (*Claims, error) {
	plain, err := k.ring().decrypt(salt, nil, token)
	if err != nil {
		return nil, err
	}
	return k.claims(plain, opts)
}

// cryptKey returns the key of the i-th secret for encryption with salt.
func (r *keyring) cryptKey(i int, salt string) ([]byte, error) {
	if r.length != cryptKeyLen {
		return nil, fmt.Errorf("token: encrypted tokens need keys of %d bytes, not %d", cryptKeyLen, r.length)
	}
	return r.key(i, salt)
}

// encryptMessage returns the prefix and the base64 of nonce, tag and ciphertext.
func encryptMessage(key, message []byte) (string, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return "", fmt.Errorf("token: encrypt: %w", err)
	}
	// Seal appends the tag after the ciphertext; it is moved into the room before it.
	b := make([]byte, nonceSize+tagSize, nonceSize+tagSize+len(message)+tagSize)
	// rand.Read never fails; it ends the program instead.
	_, _ = rand.Read(b[:nonceSize])
	b = aead.Seal(b, b[:nonceSize], message, associated)
	end := len(b) - tagSize
	copy(b[nonceSize:], b[end:])
	return encryptPrefix + b64.EncodeToString(b[:end]), nil
}

// decrypt returns the message of an encrypted token. signSalt is nil for tokens; in the old form of
// cookies, the key derived from it is part of the check.
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

// open decrypts nonce, tag and ciphertext, in this order.
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

// openLegacy decrypts a token of old versions of Phoenix. Its first part is a wrapped key: ciphertext,
// tag and IV. That key decrypts the message, whose IV, ciphertext and tag are the other parts.
func openLegacy(key, signKey []byte, parts [][]byte) ([]byte, bool) {
	if len(parts) != 4 {
		return nil, false
	}
	wrapped, iv, ciphertext, tag := parts[0], parts[1], parts[2], parts[3]
	end := len(wrapped) - gcmIVSize
	// A content key of a size that AES does not have fails in openGCM.
	if end < gcmTagSize {
		return nil, false
	}
	contentKey, ok := openGCM(key, wrapped[end:], wrapped[:end-gcmTagSize], wrapped[end-gcmTagSize:end], signKey)
	if !ok {
		return nil, false
	}
	return openGCM(contentKey, iv, ciphertext, tag, associated)
}

// openGCM decrypts with AES-GCM. It returns false for a wrong size of any part, instead of a panic.
func openGCM(key, iv, ciphertext, tag, associated []byte) ([]byte, bool) {
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

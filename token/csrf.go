package token

import "crypto/subtle"

const (
	// CSRFKey is the name under which Plug keeps the CSRF secret in the session.
	CSRFKey = "_csrf_token"

	csrfSecretLen = 24
	csrfMaskedLen = 32 // base64 of the masked secret
)

// CheckCSRF reports whether token is the CSRF token of a session that holds
// secret under CSRFKey. Token is what get_csrf_token gives a page, decoded from
// the _csrf_token parameter: the masked secret and the mask, 56 characters. The
// time it takes tells nothing about the secret. An empty or odd secret matches
// nothing.
func CheckCSRF(secret, token string) bool {
	if len(secret) != csrfSecretLen || len(token) != csrfMaskedLen+csrfSecretLen {
		return false
	}
	plain, ok := decode64(token[:csrfMaskedLen])
	if !ok || len(plain) != csrfSecretLen {
		return false
	}
	subtle.XORBytes(plain, plain, []byte(token[csrfMaskedLen:]))
	return subtle.ConstantTimeCompare(plain, []byte(secret)) == 1
}

package token

import "crypto/subtle"

const (
	// CSRFKey is the key of the CSRF secret in a session of Plug.
	CSRFKey = "_csrf_token"

	csrfSecretLen = 24
	csrfMaskedLen = 32 // base64 of the masked secret
)

// CheckCSRF reports whether token is a CSRF token of the session that has secret under CSRFKey. A
// page gets the token from Plug.CSRFProtection.get_csrf_token and sends it in the parameter
// _csrf_token. It has 56 characters: the masked secret, then the mask. The comparison takes constant
// time. A secret that does not have the 24 bytes of Plug's matches no token.
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

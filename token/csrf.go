package token

import "crypto/subtle"

const (
	csrfKey       = "_csrf_token" // of the secret in a session of Plug
	csrfSecretLen = 24
	csrfMaskedLen = 32 // base64 of the masked secret
)

// CheckCSRF reports whether token is a CSRF token of a session of Plug, which has its secret under
// the key _csrf_token. A page gets the token from Plug.CSRFProtection.get_csrf_token and sends it in
// the parameter _csrf_token. It has 56 characters: the masked secret, then the mask. The comparison
// takes constant time. A session without a secret of the 24 bytes of Plug's matches no token.
//
// It is a function for transport.SessionCheck.CSRF.
func CheckCSRF(session map[string]any, token string) bool {
	secret, _ := session[csrfKey].(string)
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

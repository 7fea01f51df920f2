package longpoll

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/bennu-go/bennu/internal/reserved"
)

// id is 128 random bits: the name of a session, a server or a request.
type id [16]byte

// newID returns a random id.
func newID() (i id) {
	_, _ = rand.Read(i[:]) // never fails
	return i
}

// token is the token by which a client reaches its session. Its number is that of the last batch
// that the client has received.
// Its text is the base64 of version, number, session, boot, node and an HMAC of these, so no server
// keeps tokens, and a client cannot make one.
//
//	1 byte      version
//	8 bytes     number, big-endian
//	16 bytes    session
//	16 bytes    boot
//	0 to 255    node
//	32 bytes    HMAC-SHA256 of all that
type token struct {
	number  uint64
	session id
	boot    id     // the server that has the session
	node    string // the node of that server
}

const (
	tokenVersion = 1
	tokenFixed   = 1 + 8 + 16 + 16 + sha256.Size
	maxNode      = 255
)

var (
	// tokenEncoding is the text form of tokens, and maxToken the length of the longest in bytes.
	tokenEncoding = base64.RawURLEncoding.Strict() // safe in a header and in a URL
	maxToken      = tokenEncoding.EncodedLen(tokenFixed + maxNode)
)

// keys are derived from the secret that the nodes of a cluster share: one to sign tokens, one to
// name topics.
type keys struct {
	sign  []byte
	route []byte
}

// newKeys derives the keys from a secret, or from a random one if it is empty.
func newKeys(secret []byte) keys {
	if len(secret) == 0 {
		secret = make([]byte, 32)
		_, _ = rand.Read(secret)
	}
	derive := func(purpose string) []byte {
		key, err := hkdf.Key(sha256.New, secret, nil, purpose, 32)
		if err != nil {
			// Only in FIPS mode, and only for short secrets.
			key = mac(secret, []byte(purpose))
		}
		return key
	}
	return keys{sign: derive("bennu longpoll token"), route: derive("bennu longpoll route")}
}

// mac returns the HMAC-SHA256 of data.
func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// seal returns the text of a token. The same token always has the same text.
func (k *keys) seal(t *token) string {
	b := make([]byte, 0, tokenFixed+len(t.node))
	b = append(b, tokenVersion)
	b = binary.BigEndian.AppendUint64(b, t.number)
	b = append(b, t.session[:]...)
	b = append(b, t.boot[:]...)
	b = append(b, t.node...)
	b = append(b, mac(k.sign, b)...)
	return tokenEncoding.EncodeToString(b)
}

// open reads the text of a token. ok is false if no server with the same secret made it.
func (k *keys) open(text string) (t token, ok bool) {
	if len(text) > maxToken {
		return t, false
	}
	b, err := tokenEncoding.DecodeString(text)
	// The decoder would skip line breaks, which no token has.
	if err != nil || len(b) < tokenFixed || tokenEncoding.EncodedLen(len(b)) != len(text) {
		return t, false
	}
	// Nothing of the text is used before the HMAC is checked.
	b, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if !hmac.Equal(sum, mac(k.sign, b)) || b[0] != tokenVersion {
		return t, false
	}
	t.number = binary.BigEndian.Uint64(b[1:])
	copy(t.session[:], b[9:])
	copy(t.boot[:], b[25:])
	t.node = string(b[41:])
	return t, true
}

// topic returns the topic on which a server listens for the others. It is derived with a key, so
// that clients, who know boot from their tokens, do not know it.
func (k *keys) topic(boot id) string {
	return reserved.LongPoll + tokenEncoding.EncodeToString(mac(k.route, boot[:])[:16])
}

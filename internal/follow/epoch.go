package follow

import (
	"crypto/rand"
	"strings"
)

// epochBytes is the length of an epoch: 40 random bits.
const epochBytes = 8

// NewEpoch returns a random epoch.
func NewEpoch() string { return strings.ToLower(rand.Text()[:epochBytes]) }

// ValidEpoch reports whether a text is an epoch: 8 characters of a-z and 2-7.
func ValidEpoch(text string) bool {
	if len(text) != epochBytes {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

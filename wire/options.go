package wire

import (
	"cmp"
	"math"

	"github.com/bennu-go/bennu/internal/jsontext"
)

// Options of [V1] and [V2].
type Options struct {
	// MaxTokens bounds the JSON values and keys of one message. The message itself has six of
	// them. Default the bound of bennu.Limits.MessageTokens, and without one 10,000; a
	// negative number takes it away.
	MaxTokens int
}

func (o *Options) bound() tokenBound {
	if o == nil {
		return tokenBound{}
	}
	if o.MaxTokens < 0 {
		return tokenBound{math.MaxInt}
	}
	return tokenBound{o.MaxTokens}
}

// tokenBound is how many tokens a message may have, 0 for the default.
type tokenBound struct{ most int }

// MaxTokens is for package bennu, which logs it.
func (b tokenBound) MaxTokens() int { return cmp.Or(b.most, jsontext.MaxTokens) }

func (b tokenBound) scanner(data []byte) jsontext.Scanner {
	return jsontext.Scanner{Data: data, MaxTokens: b.MaxTokens(), Lenient: true}
}

package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/jsontext"
	"github.com/bennu-go/bennu/wire"
)

// The tokens of the envelope count towards the bound, in both versions.
func TestLimits(t *testing.T) {
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	list := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]" }
	for _, s := range []wire.Serializer{wire.V1(nil), wire.V2(nil)} {
		decode := func(payload string) error {
			in := `["1","1","t","e",` + payload + `]`
			if s == wire.V1(nil) {
				in = `{"topic":"t","event":"e","ref":"1","payload":` + payload + `}`
			}
			_, err := s.Decode(wire.Text, []byte(in))
			return err
		}
		if err := decode(nest(jsontext.MaxDepth - 1)); err != nil {
			t.Errorf("%T: depth: %v", s, err)
		}
		if err := decode(nest(jsontext.MaxDepth)); !errors.Is(err, jsontext.ErrTooDeep) {
			t.Errorf("%T: too deep: %v", s, err)
		}
		if err := decode(list(jsontext.MaxTokens - 100)); err != nil {
			t.Errorf("%T: tokens: %v", s, err)
		}
		if err := decode(list(jsontext.MaxTokens - 2)); !errors.Is(err, jsontext.ErrTooManyTokens) {
			t.Errorf("%T: too many tokens: %v", s, err)
		}
	}
}

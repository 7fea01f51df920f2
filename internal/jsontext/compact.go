package jsontext

import "math"

// Check reports whether data is one JSON value within the bounds, with at most whitespace
// around it. The error is an [*Error]. Check does not allocate, except for a number within a
// factor of ten of the largest float64.
func Check(data []byte) error {
	s := Scanner{Data: data, MaxTokens: MaxTokens}
	return s.Whole()
}

// Compact validates JSON text of unknown origin, as strictly as [Check] but with any number
// of tokens, and returns it as the protocol writes payloads: without whitespace between tokens,
// and with no escapes but those of [AppendString]. Numbers, the order of members, and members
// with one name stay as they are.
//
// Text that has this form already is returned itself; other text is copied.
func Compact(text []byte) ([]byte, error) {
	s := Scanner{Data: text, MaxTokens: math.MaxInt}
	if err := s.Whole(); err != nil {
		return nil, err
	}
	if !s.loose {
		return text, nil
	}
	return CompactValid(text), nil
}

// CompactValid is [Compact] for text that is known to be valid. It always copies.
func CompactValid(text []byte) []byte {
	dst := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '"':
			from := i + 1
			escaped := false
			for i = from; text[i] != '"'; i++ {
				if text[i] == '\\' {
					escaped = true
					i++
				}
			}
			if escaped {
				dst = AppendString(dst, string(AppendUnquoted(nil, text[from:i])))
			} else {
				dst = append(dst, text[from-1:i+1]...)
			}
			i++
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// Package jsontext validates JSON text as strictly as the protocol asks, and writes it in the
// form that the protocol has: see package wire for the rules.
package jsontext

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Bounds on one JSON text. Every value, be it an array, an object or a scalar, is one
// token, and so is every key. MaxTokens is a default.
const (
	MaxDepth  = 64
	MaxTokens = 10_000
)

// A Scanner validates JSON text in one pass. Positions are passed and returned rather than
// kept, so that they live in registers: each method takes the position to begin at and
// returns the position behind the text that it has read. The errors are [*Error].
type Scanner struct {
	Data      []byte
	MaxTokens int
	// Tokens counts the values and keys so far.
	Tokens int
	// Lenient makes text that is JSON and breaks a bound, or has a lone surrogate, no
	// error: Unwelcome then has the first such fault, and the scan goes on.
	Lenient   bool
	Unwelcome error
	// loose is set when Compact would write the text otherwise: it has whitespace between
	// tokens, or an escape that is not needed or not the shortest.
	loose bool
}

// Fail makes the error for a fault at i.
func (s *Scanner) Fail(i int, reason error) error {
	return &Error{Offset: i, Err: reason}
}

// over is Fail for text that is JSON and breaks a bound.
func (s *Scanner) over(i int, reason error) error {
	if !s.Lenient {
		return s.Fail(i, reason)
	}
	if s.Unwelcome == nil {
		s.Unwelcome = s.Fail(i, reason)
	}
	return nil
}

// First returns the error of a scan that ended with err: an unwelcome value before the
// fault wins.
func (s *Scanner) First(err error) error {
	if err != nil && s.Unwelcome != nil {
		return s.Unwelcome
	}
	return err
}

// Unexpected makes the error for a byte at i that cannot stand there, or for the end.
func (s *Scanner) Unexpected(i int) error {
	if i >= len(s.Data) {
		return s.Fail(len(s.Data), errEnd)
	}
	return s.Fail(i, errByte)
}

// Whole scans one value with nothing but whitespace around it.
func (s *Scanner) Whole() error {
	i, err := s.Value(s.Space(0), 0)
	if err != nil {
		return err
	}
	return s.End(i)
}

// End checks that only whitespace follows.
func (s *Scanner) End(i int) error {
	if i = s.Space(i); i < len(s.Data) {
		return s.Fail(i, errTrailing)
	}
	return nil
}

// Space returns the position of the next byte that is not whitespace. It is small enough to be
// inlined, and mostly there is none.
func (s *Scanner) Space(i int) int {
	if i < len(s.Data) && s.Data[i] > ' ' {
		return i
	}
	return s.skipSpace(i)
}

func (s *Scanner) skipSpace(i int) int {
	for ; i < len(s.Data); i++ {
		switch s.Data[i] {
		case ' ', '\t', '\n', '\r':
			s.loose = true
		default:
			return i
		}
	}
	return i
}

func (s *Scanner) token(i int) error {
	if s.Tokens++; s.Tokens > s.MaxTokens {
		return s.over(i, ErrTooManyTokens)
	}
	return nil
}

// Value scans the value that starts at i, within depth arrays and objects that are open
// already. It does not recurse: the kind of each open bracket is one bit of objects, the
// innermost lowest, which is why MaxDepth cannot be more than 64.
func (s *Scanner) Value(i, depth int) (int, error) {
	var (
		objects uint64
		open    int
		err     error
	)
	for {
		if i >= len(s.Data) {
			return i, s.Unexpected(i)
		}
		if err = s.token(i); err != nil {
			return i, err
		}
		switch c := s.Data[i]; c {
		case '{', '[':
			if depth+open == MaxDepth {
				if err = s.over(i, ErrTooDeep); err == nil {
					i, err = s.deep(i)
				}
				break
			}
			open++
			objects <<= 1
			i = s.Space(i + 1)
			if i < len(s.Data) && s.Data[i] == c+2 { // ASCII: '[' + 2 is ']', '{' + 2 is '}'
				i++
				open--
				objects >>= 1
				break
			}
			if c == '{' {
				objects |= 1
				if i, err = s.key(i); err != nil {
					return i, err
				}
			}
			continue
		case '"':
			i, err = s.str(i)
		case 't':
			i, err = s.literal(i, "true")
		case 'f':
			i, err = s.literal(i, "false")
		case 'n':
			i, err = s.literal(i, "null")
		default:
			i, err = s.number(i)
		}
		if err != nil {
			return i, err
		}

		// A value ends at i. Close what ends with it, up to a comma.
		for {
			if open == 0 {
				return i, nil
			}
			if i = s.Space(i); i >= len(s.Data) {
				return i, s.Unexpected(i)
			}
			c := s.Data[i]
			if c == ',' {
				break
			}
			if c != ']'+byte(objects&1)*('}'-']') {
				return i, s.Unexpected(i)
			}
			i++
			open--
			objects >>= 1
		}
		i = s.Space(i + 1)
		if objects&1 != 0 {
			if i, err = s.key(i); err != nil {
				return i, err
			}
		}
	}
}

// deep passes over an array or object that is too deep, looking only for its end.
func (s *Scanner) deep(i int) (int, error) {
	for open := 0; i < len(s.Data); {
		switch s.Data[i] {
		case '"':
			var err error
			if i, err = s.str(i); err != nil {
				return i, err
			}
			continue
		case '{', '[':
			open++
		case '}', ']':
			if open--; open == 0 {
				return i + 1, nil
			}
		}
		i++
	}
	return i, s.Unexpected(i)
}

// key scans a key and its colon, up to the start of the value.
func (s *Scanner) key(i int) (int, error) {
	i, err := s.Name(i)
	if err != nil {
		return i, err
	}
	return s.Colon(i)
}

// Name scans a key alone.
func (s *Scanner) Name(i int) (int, error) {
	if i >= len(s.Data) || s.Data[i] != '"' {
		return i, s.Unexpected(i)
	}
	if err := s.token(i); err != nil {
		return i, err
	}
	return s.str(i)
}

// Colon scans the colon after a key, up to the start of the value.
func (s *Scanner) Colon(i int) (int, error) {
	i = s.Space(i)
	if i >= len(s.Data) || s.Data[i] != ':' {
		return i, s.Unexpected(i)
	}
	return s.Space(i + 1), nil
}

func (s *Scanner) literal(i int, want string) (int, error) {
	if len(s.Data)-i < len(want) || string(s.Data[i:i+len(want)]) != want {
		return i, s.Fail(i, errLiteral)
	}
	return i + len(want), nil
}

// str scans the string whose opening quote is at i. It passes over eight bytes at a time
// while they are printable ASCII other than the quote and the backslash.
func (s *Scanner) str(i int) (int, error) {
	d := s.Data
	i++
	for {
		for i+8 <= len(d) {
			stops := stringStops(binary.LittleEndian.Uint64(d[i:]))
			if stops != 0 {
				i += bits.TrailingZeros64(stops) / 8
				break
			}
			i += 8
		}
		if i >= len(d) {
			return i, s.Fail(len(d), errEnd)
		}
		switch c := d[i]; {
		case c == '"':
			return i + 1, nil
		case c == '\\':
			var err error
			if i, err = s.escape(i); err != nil {
				return i, err
			}
		case c < ' ':
			return i, s.Fail(i, errControl)
		case c < utf8.RuneSelf:
			i++
		default:
			for i < len(d) && d[i] >= utf8.RuneSelf {
				// Most of these letters have two bytes.
				if d[i] >= 0xC2 && d[i] < 0xE0 && i+1 < len(d) && d[i+1]&0xC0 == 0x80 {
					i += 2
					continue
				}
				r, n := utf8.DecodeRune(d[i:])
				if r == utf8.RuneError && n <= 1 {
					return i, s.Fail(i, ErrUTF8)
				}
				i += n
			}
		}
	}
}

// stringStops sets the high bit of each byte of x at which str must stop: a control
// character, a quote, a backslash, or a byte beyond ASCII. Bytes above the lowest one
// found may be marked in error, by a borrow.
func stringStops(x uint64) uint64 {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	quote := x ^ '"'*ones
	slash := x ^ '\\'*ones
	return ((x-' '*ones)&^x | (quote-ones)&^quote | (slash-ones)&^slash | x) & highs
}

// escape scans the escape whose backslash is at i.
func (s *Scanner) escape(i int) (int, error) {
	d := s.Data
	if i+1 >= len(d) {
		return i, s.Fail(len(d), errEnd)
	}
	switch d[i+1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case '/':
		s.loose = true
		return i + 2, nil
	case 'u':
	default:
		return i, s.Fail(i, errEscape)
	}
	r, ok := hex4(d, i+2)
	if !ok {
		return i, s.Fail(i, errEscape)
	}
	if r >= ' ' || shortEscape[r] != 0 || d[i+5] >= 'A' && d[i+5] <= 'F' {
		s.loose = true
	}
	if r < 0xD800 || r > 0xDFFF {
		return i + 6, nil
	}
	// Only a high surrogate followed by a low one is a character.
	if r <= 0xDBFF && i+7 < len(d) && d[i+6] == '\\' && d[i+7] == 'u' {
		if low, ok := hex4(d, i+8); ok && low >= 0xDC00 && low <= 0xDFFF {
			return i + 12, nil
		}
	}
	return i + 6, s.over(i, errSurrogate)
}

package wire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Bounds on the JSON text of one message, the envelope included. Every value, be
// it an array, an object, or a scalar, is one token, and so is every key. MaxTokens is the
// default of [V1] and [V2].
const (
	MaxDepth  = 64
	MaxTokens = 10_000
)

// Check reports whether data is one JSON value as Decode would accept it, with
// nothing but whitespace around: see the package documentation for the rules.
// The error is a [*DecodeError]. Check does not allocate, except for a number
// within a factor of ten of the largest float64.
func Check(data []byte) error {
	s := scanner{data: data, maxTokens: MaxTokens}
	return s.whole()
}

// scanner validates JSON text in one pass. Positions are passed and returned
// rather than kept, so that they live in registers.
type scanner struct {
	data      []byte
	tokens    int
	maxTokens int
	// loose is set by anything that compact text would write otherwise:
	// whitespace between tokens, or an escape where none, or a shorter one, is
	// due.
	loose bool
	// lenient lets a bound be passed, and noncharacters stand: unwelcome is then the first
	// fault. Only what is no JSON text at all is an error.
	lenient   bool
	unwelcome error
}

func (s *scanner) fail(i int, reason error) error {
	return &DecodeError{Offset: i, Err: reason}
}

// over is fail for what is JSON text, and still not accepted.
func (s *scanner) over(i int, reason error) error {
	if !s.lenient {
		return s.fail(i, reason)
	}
	if s.unwelcome == nil {
		s.unwelcome = s.fail(i, reason)
	}
	return nil
}

// first is the first fault of a text in which the scan ended with err.
func (s *scanner) first(err error) error {
	if err != nil && s.unwelcome != nil {
		return s.unwelcome
	}
	return err
}

// unexpected is the error for a byte at i that cannot stand there, or for the end.
func (s *scanner) unexpected(i int) error {
	if i >= len(s.data) {
		return s.fail(len(s.data), errEnd)
	}
	return s.fail(i, errByte)
}

// whole scans a single value with nothing after it.
func (s *scanner) whole() error {
	i, err := s.value(s.space(0), 0)
	if err != nil {
		return err
	}
	return s.end(i)
}

// end checks that only whitespace follows.
func (s *scanner) end(i int) error {
	if i = s.space(i); i < len(s.data) {
		return s.fail(i, errTrailing)
	}
	return nil
}

// space returns the position of the next byte that is not whitespace. The
// common case, none, is small enough to be inlined.
func (s *scanner) space(i int) int {
	if i < len(s.data) && s.data[i] > ' ' {
		return i
	}
	return s.skipSpace(i)
}

func (s *scanner) skipSpace(i int) int {
	for ; i < len(s.data); i++ {
		switch s.data[i] {
		case ' ', '\t', '\n', '\r':
			s.loose = true
		default:
			return i
		}
	}
	return i
}

func (s *scanner) token(i int) error {
	if s.tokens++; s.tokens > s.maxTokens {
		return s.over(i, ErrTooManyTokens)
	}
	return nil
}

// value scans the value that starts at i, within depth arrays and objects that
// are already open, and returns the position after it. It does not recurse: the kind
// of each open bracket is one bit of objects, the innermost lowest, which is
// why MaxDepth cannot be more than 64.
func (s *scanner) value(i, depth int) (int, error) {
	var (
		objects uint64
		open    int
		err     error
	)
	for {
		if i >= len(s.data) {
			return i, s.unexpected(i)
		}
		if err = s.token(i); err != nil {
			return i, err
		}
		switch c := s.data[i]; c {
		case '{', '[':
			if depth+open == MaxDepth {
				if err = s.over(i, ErrTooDeep); err == nil {
					i, err = s.deep(i)
				}
				break
			}
			open++
			objects <<= 1
			i = s.space(i + 1)
			if i < len(s.data) && s.data[i] == c+2 { // ASCII: '[' + 2 is ']', '{' + 2 is '}'
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
			if i = s.space(i); i >= len(s.data) {
				return i, s.unexpected(i)
			}
			c := s.data[i]
			if c == ',' {
				break
			}
			if c != ']'+byte(objects&1)*('}'-']') {
				return i, s.unexpected(i)
			}
			i++
			open--
			objects >>= 1
		}
		i = s.space(i + 1)
		if objects&1 != 0 {
			if i, err = s.key(i); err != nil {
				return i, err
			}
		}
	}
}

// deep passes over an array or object that is too deep. It looks only for its end.
func (s *scanner) deep(i int) (int, error) {
	for open := 0; i < len(s.data); {
		switch s.data[i] {
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
	return i, s.unexpected(i)
}

// key scans a key, its colon and the space around, up to the start of the value.
func (s *scanner) key(i int) (int, error) {
	i, err := s.name(i)
	if err != nil {
		return i, err
	}
	return s.colon(i)
}

// name scans the key alone.
func (s *scanner) name(i int) (int, error) {
	if i >= len(s.data) || s.data[i] != '"' {
		return i, s.unexpected(i)
	}
	if err := s.token(i); err != nil {
		return i, err
	}
	return s.str(i)
}

func (s *scanner) colon(i int) (int, error) {
	i = s.space(i)
	if i >= len(s.data) || s.data[i] != ':' {
		return i, s.unexpected(i)
	}
	return s.space(i + 1), nil
}

func (s *scanner) literal(i int, want string) (int, error) {
	if len(s.data)-i < len(want) || string(s.data[i:i+len(want)]) != want {
		return i, s.fail(i, errLiteral)
	}
	return i + len(want), nil
}

// str scans the string whose opening quote is at i. Eight bytes at a time are
// passed over while they are printable ASCII other than the quote and backslash.
func (s *scanner) str(i int) (int, error) {
	d := s.data
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
			return i, s.fail(len(d), errEnd)
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
			return i, s.fail(i, errControl)
		case c < utf8.RuneSelf:
			i++
		default:
			for i < len(d) && d[i] >= utf8.RuneSelf {
				r, n := utf8.DecodeRune(d[i:])
				if r == utf8.RuneError && n <= 1 {
					return i, s.fail(i, errUTF8)
				}
				i += n
			}
		}
	}
}

// stringStops sets the high bit of each byte of x that needs a look of its own
// within a string: a control character, a quote, a backslash, or one beyond ASCII.
// Bytes above the lowest one found may be marked in error, by a borrow.
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
func (s *scanner) escape(i int) (int, error) {
	d := s.data
	if i+1 >= len(d) {
		return i, s.fail(len(d), errEnd)
	}
	switch d[i+1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case '/':
		s.loose = true
		return i + 2, nil
	case 'u':
	default:
		return i, s.fail(i, errEscape)
	}
	r, ok := hex4(d, i+2)
	if !ok {
		return i, s.fail(i, errEscape)
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

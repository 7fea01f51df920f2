package history

import (
	"errors"
	"strconv"
	"strings"

	"github.com/bennu-go/bennu/internal/follow"
)

// Offset is a place in the history of one topic: that of a message, and of whoever has received it and
// all before it. Offsets of a topic rise, and are not consecutive. The zero Offset is no place.
type Offset struct{ at follow.Position }

// OffsetOf returns the Offset of a Place. It is for implementations of Store and their tests.
func OffsetOf(p Place) Offset { return Offset{follow.Position{Epoch: p.Epoch, Offset: p.Offset}} }

// IsZero reports whether o is the zero Offset.
func (o Offset) IsZero() bool { return o == Offset{} }

// String returns o as clients get it, such as "e7k2m6x4:88120", and "" for the zero Offset.
func (o Offset) String() string {
	if o.IsZero() {
		return ""
	}
	var memory [maxText]byte
	text := append(append(memory[:0], o.at.Epoch...), ':')
	return string(strconv.AppendUint(text, o.at.Offset, 10))
}

// MarshalText implements encoding.TextMarshaler.
func (o Offset) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Offset) UnmarshalText(text []byte) (err error) {
	*o, err = ParseOffset(string(text))
	return err
}

// The length of the largest number, and of the longest text.
const (
	maxDigits = 20
	maxText   = len("e7k2m6x4:") + maxDigits
)

// ParseOffset reads the result of String.
func ParseOffset(text string) (Offset, error) {
	if text == "" {
		return Offset{}, nil
	}
	epoch, digits, ok := strings.Cut(text, ":")
	if !ok || !follow.ValidEpoch(epoch) || len(digits) == 0 || len(digits) > maxDigits {
		return Offset{}, errOffset
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return Offset{}, errOffset
		}
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return Offset{}, errOffset
	}
	return Offset{follow.Position{Epoch: epoch, Offset: n}}, nil
}

var errOffset = errors.New("history: the text is no offset; it has 8 letters or digits, a colon and a number")

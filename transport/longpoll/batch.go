package longpoll

import (
	"bytes"
	"encoding/base64"
	"errors"
	"unicode/utf8"

	"github.com/bennu-go/bennu/wire"
)

// line is one message of a post.
type line struct {
	op   wire.Opcode
	data []byte
}

// errBody means a body that is no sequence of messages.
var errBody = errors.New("longpoll: body is not UTF-8, or a line of it not base64")

// splitBody makes messages of a body. As ndjson it has one message a line: JSON
// starts with a bracket, everything else is the base64 of a binary message, and
// empty lines are ignored. Otherwise the body is one message of text. At most
// limit messages are looked at, and more says that something follows them. The
// messages of ndjson share no memory with the body, so that one that is kept does
// not keep the others.
func splitBody(body []byte, ndjson bool, limit int) (lines []line, more bool, err error) {
	if !ndjson {
		if !utf8.Valid(body) {
			return nil, false, errBody
		}
		return []line{{wire.Text, body}}, false, nil
	}
	for len(body) > 0 && len(lines) < limit {
		var piece []byte
		piece, body, _ = bytes.Cut(body, []byte("\n"))
		piece = bytes.TrimSuffix(piece, []byte("\r"))
		if len(piece) == 0 {
			continue
		}
		l, err := parseLine(piece)
		if err != nil {
			return nil, false, err
		}
		lines = append(lines, l)
	}
	return lines, len(body) > 0, nil
}

func parseLine(piece []byte) (line, error) {
	if piece[0] == '[' {
		if !utf8.Valid(piece) {
			return line{}, errBody
		}
		return line{wire.Text, bytes.Clone(piece)}, nil
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(piece)))
	n, err := base64.StdEncoding.Decode(data, piece)
	if err != nil || bytes.IndexByte(piece, '\r') >= 0 { // which the decoder skips
		return line{}, errBody
	}
	return line{wire.Binary, data[:n:n]}, nil
}

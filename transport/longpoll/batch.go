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

// errBody means that a body is not a sequence of messages.
var errBody = errors.New("longpoll: body is not UTF-8, or a line of it not base64")

// lines are the messages of a post that are not handled yet. As ndjson a post has one message per
// line: a line that starts with a bracket is JSON, any other is the base64 of a binary message, and
// empty lines are ignored. Otherwise the post is one text message.
type lines struct {
	body   []byte
	ndjson bool
	left   int // how many messages may still be taken
}

// check checks all messages without allocating. more says that the post has further ones, which
// will be ignored.
func (ls lines) check() (more bool, err error) {
	if !ls.ndjson {
		if !utf8.Valid(ls.body) {
			return false, errBody
		}
		return false, nil
	}
	for piece := ls.piece(); piece != nil; piece = ls.piece() {
		if piece[0] == '[' && !utf8.Valid(piece) || piece[0] != '[' && !isBase64(piece) {
			return false, errBody
		}
	}
	return len(ls.body) > 0, nil
}

// next returns the next message of a post that was checked. It shares no memory with the body, so a
// message that is kept does not keep the others.
func (ls *lines) next() (l line, ok bool) {
	if !ls.ndjson {
		l, ok = line{wire.Text, ls.body}, ls.left > 0
		ls.body, ls.left = nil, 0
		return l, ok
	}
	piece := ls.piece()
	switch {
	case piece == nil:
		return line{}, false
	case piece[0] == '[':
		return line{wire.Text, bytes.Clone(piece)}, true
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(piece)))
	n, _ := base64.StdEncoding.Decode(data, piece) // valid, as check has found
	return line{wire.Binary, data[:n:n]}, true
}

// piece returns the next line that is not empty, or nil.
func (ls *lines) piece() []byte {
	for len(ls.body) > 0 && ls.left > 0 {
		var piece []byte
		piece, ls.body, _ = bytes.Cut(ls.body, []byte("\n"))
		if piece = bytes.TrimSuffix(piece, []byte("\r")); len(piece) > 0 {
			ls.left--
			return piece
		}
	}
	return nil
}

// isBase64 reports whether a text is base64. It decodes a part at a time, so that nothing is
// allocated.
func isBase64(text []byte) bool {
	if bytes.IndexByte(text, '\r') >= 0 { // the decoder would skip it
		return false
	}
	var buf [768]byte
	for len(text) > 1024 {
		// Padding is for the end alone.
		if n, err := base64.StdEncoding.Decode(buf[:], text[:1024]); err != nil || n != len(buf) {
			return false
		}
		text = text[1024:]
	}
	_, err := base64.StdEncoding.Decode(buf[:], text)
	return err == nil
}

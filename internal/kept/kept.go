// Package kept bounds how much memory a piece of a frame keeps alive: a piece keeps the whole
// frame.
package kept

import "bytes"

// Spare is how many bytes a piece may keep alive beside its own and an eighth of them. It is more
// than the bytes around the payload of a usual message.
const Spare = 512

// Piece returns piece, which is a part of whole, or a copy of it if whole is much larger.
func Piece(piece, whole []byte) []byte {
	if piece != nil && cap(whole)-len(piece) > Spare+len(piece)/8 {
		return bytes.Clone(piece)
	}
	return piece
}

// Package kept bounds what a piece of a frame keeps from being collected: the whole frame.
package kept

import "bytes"

// Spare is how much more than itself and an eighth of itself a piece may keep, in bytes. That is
// more than what stands around the payload of a usual message.
const Spare = 512

// Piece returns piece, which is a part of whole, or a copy of it if whole is much larger.
func Piece(piece, whole []byte) []byte {
	if piece != nil && cap(whole)-len(piece) > Spare+len(piece)/8 {
		return bytes.Clone(piece)
	}
	return piece
}

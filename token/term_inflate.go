package token

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"io"
)

var errInflate = errors.New("compressed term does not inflate to the size it gives")

// inflate decompresses a term. It checks the size in front of it before it allocates memory, and reads
// no more than that.
func inflate(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, errCut
	}
	size := binary.BigEndian.Uint32(b)
	if size > maxInflated {
		return nil, errSize
	}
	in := bytes.NewReader(b[4:])
	z, err := zlib.NewReader(in)
	if err != nil {
		return nil, errInflate
	}
	// One byte more, to notice a longer term. If there is none, the checksum is read and checked.
	out, err := io.ReadAll(io.LimitReader(z, int64(size)+1))
	if err != nil || len(out) != int(size) {
		return nil, errInflate
	}
	if in.Len() > 0 {
		return nil, errRest
	}
	return out, nil
}

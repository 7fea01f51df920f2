package kept_test

import (
	"testing"

	"github.com/bennu-go/bennu/internal/kept"
)

func TestPiece(t *testing.T) {
	for _, tc := range []struct {
		whole, from, to int
		copied          bool
	}{
		{100, 20, 90, false},
		{kept.Spare + 2, 1, 3, false},
		{kept.Spare + 3, 1, 3, true},
		{1 << 20, 10, 12, true},
		{1 << 20, 10, 1<<20 - 10, false},
		{9 << 10, 0, 8 << 10, false},
		{10 << 10, 0, 8 << 10, true},
		{1 << 20, 5, 5, true},
	} {
		whole := make([]byte, tc.whole)
		whole = whole[: tc.whole-1 : tc.whole] // it is the capacity that is kept
		piece := whole[tc.from:tc.to:tc.to]
		got := kept.Piece(piece, whole)
		if len(got) != len(piece) || got == nil {
			t.Fatalf("%+v: %d bytes", tc, len(got))
		}
		if copied := cap(piece) == 0 && cap(whole) > kept.Spare || len(got) > 0 && &got[0] != &whole[tc.from]; copied != tc.copied {
			t.Errorf("%+v: copied is %v", tc, copied)
		}
	}
	if kept.Piece(nil, make([]byte, 1<<20)) != nil {
		t.Error("nil became something")
	}
}

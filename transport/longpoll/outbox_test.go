package longpoll

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestOutboxModel plays random histories of a client and a server whose answers
// may get lost, against what the client must have seen.
func TestOutboxModel(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		lim := &limits{bufferBytes: 1 << 20, bufferMsgs: 1 << 20}
		var o outbox
		o.adopting = true
		sent, seen := 0, 0
		token := uint64(0)
		bytes := 0
		var writing []batch // answers on which the server has not finished, whatever the client says
		for range 50 {
			for range r.IntN(4) {
				m := []byte(fmt.Sprint(sent))
				if !o.fits(len(m), lim) {
					t.Fatalf("seed %d: does not fit", seed)
				}
				o.push(m)
				sent++
			}
			var b batch
			w := &localPoll{}
			switch o.prove(token) {
			case proofCurrent:
				if len(o.queue) == 0 {
					continue
				}
				b = o.hand(w)
				if r.IntN(5) == 0 { // nobody is there
					o.written(&b)
					o.restore()
					continue
				}
			case proofRepeat:
				b = o.repeat()
				if o.to != nil {
					t.Fatalf("seed %d: a repeated batch could be restored", seed)
				}
			default:
				t.Fatalf("seed %d: a gap with token %d of %d", seed, token, o.handed)
			}
			bytes = 0
			for _, m := range append(o.pending, o.queue...) {
				bytes += len(m)
			}
			counted := []uint64{b.number}
			for _, w := range writing {
				if !slices.Contains(counted, w.number) {
					counted = append(counted, w.number)
					for _, m := range w.messages {
						bytes += len(m)
					}
				}
			}
			if bytes != o.bytes {
				t.Fatalf("seed %d: %d bytes counted, there are %d", seed, o.bytes, bytes)
			}
			if writing = append(writing, b); len(writing) > 3 || r.IntN(2) == 0 {
				i := r.IntN(len(writing))
				o.written(&writing[i])
				writing = slices.Delete(writing, i, i+1)
			}
			if r.IntN(3) == 0 {
				continue // the answer is lost
			}
			for _, m := range b.messages {
				if string(m) != fmt.Sprint(seen) {
					t.Fatalf("seed %d: got %s, want %d", seed, m, seen)
				}
				seen++
			}
			if b.number != token+1 {
				t.Fatalf("seed %d: batch %d after token %d", seed, b.number, token)
			}
			token = b.number
		}
	}
}

func TestProof(t *testing.T) {
	full := func(adopting bool, handed uint64, pending bool) *outbox {
		o := &outbox{adopting: adopting, handed: handed}
		if pending {
			o.pending, o.load = [][]byte{[]byte("a")}, &load{bytes: 1, messages: 1}
			o.bytes = 1
		}
		return o
	}
	for _, tt := range []struct {
		name   string
		o      *outbox
		number uint64
		want   proof
		left   int // bytes
	}{
		{"fresh", full(false, 0, false), 0, proofCurrent, 0},
		{"future", full(false, 0, false), 1, proofUnknown, 0},
		{"future of an adopter", full(true, 3, true), 4, proofUnknown, 1},
		{"never adopts", full(false, 7, true), 0, proofCurrent, 0},
		{"adopts now", full(false, 7, true), 7, proofCurrent, 0},
		{"adopts now, one late", full(false, 7, true), 6, proofRepeat, 1},
		{"adopts now, two late", full(false, 7, true), 5, proofGap, 1},
		{"adopter is current", full(true, 7, true), 7, proofCurrent, 0},
		{"adopter missed one", full(true, 7, true), 6, proofRepeat, 1},
		{"adopter missed the first", full(true, 1, true), 0, proofRepeat, 1},
		{"adopter goes back", full(true, 7, false), 6, proofGap, 0},
		{"adopter goes back to the start", full(true, 7, true), 0, proofGap, 1},
		{"largest", full(true, 7, true), 1<<64 - 1, proofUnknown, 1},
	} {
		if got := tt.o.prove(tt.number); got != tt.want || tt.o.bytes != tt.left {
			t.Errorf("%s: %v with %d bytes left, want %v with %d", tt.name, got, tt.o.bytes, tt.want, tt.left)
		}
	}
}

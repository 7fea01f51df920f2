package websocket

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestQueueAgainstModel writes random frames in random portions, with drops and
// trims between, and compares with a plain list.
func TestQueueAgainstModel(t *testing.T) {
	for seed := range uint64(150) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var q queue
		var b batch
		var model, sent []byte // what is to come out, and what has
		var boundary []int     // ends of frames in model
		next := byte(0)
		f := &flusher{}
		for range 200 {
			switch rnd.IntN(8) {
			case 0, 1, 2:
				p := make([]byte, 1+rnd.IntN(20)*rnd.IntN(20)*rnd.IntN(30))
				for i := range p {
					p[i] = next
					next++
				}
				q.push(p)
				model = append(model, p...)
				boundary = append(boundary, len(model))
			case 3, 4, 5:
				if b.done() {
					b.free()
					b = q.take()
				}
				if b.done() {
					continue
				}
				parts := f.gather(&b)
				all := bytes.Join(parts, nil)
				if len(all) == 0 || len(parts) > vectorMax {
					t.Fatalf("seed %d: %d parts of %d bytes", seed, len(parts), len(all))
				}
				n := rnd.IntN(len(all) + 1)
				if rnd.IntN(2) == 0 {
					n = len(all)
				}
				sent = append(sent, all[:n]...)
				q.wrote(b.advance(n))
			case 6: // overflow: what is not begun is forgotten
				if rnd.IntN(4) > 0 {
					continue
				}
				q.drop()
				q.wrote(b.trim())
				end := len(sent)
				for _, e := range boundary {
					if e >= len(sent) {
						if b.off > 0 || e == len(sent) {
							end = e
						}
						break
					}
				}
				model = model[:end]
				for len(boundary) > 0 && boundary[len(boundary)-1] > end {
					boundary = boundary[:len(boundary)-1]
				}
			}
			if !bytes.HasPrefix(model, sent) {
				t.Fatalf("seed %d: wrong bytes", seed)
			}
			frames := 0
			for _, e := range boundary {
				if e > len(sent) {
					frames++
				}
			}
			// A frame counts byte by byte, and as a message to its end.
			if q.bytes != len(model)-len(sent) || q.msgs != frames {
				t.Fatalf("seed %d: counts %d bytes, %d frames; want %d, %d", seed, q.bytes, q.msgs, len(model)-len(sent), frames)
			}
		}
		q.wrote(b.dropAll())
		q.drop()
		if q.bytes != 0 || q.msgs != 0 || !q.empty() {
			t.Fatalf("seed %d: left %d bytes, %d frames", seed, q.bytes, q.msgs)
		}
	}
}

// TestGather shows what one write is made of.
func TestGather(t *testing.T) {
	small, large := bytes.Repeat([]byte("s"), 100), bytes.Repeat([]byte("l"), gatherMax+1)
	for _, tc := range []struct {
		name   string
		frames [][]byte
		parts  []int
	}{
		{"lone", [][]byte{small}, []int{100}},
		{"lone large", [][]byte{large}, []int{gatherMax + 1}},
		{"small", [][]byte{small, small, small}, []int{300}},
		{"large between", [][]byte{small, small, large, small}, []int{200, gatherMax + 1, 100}},
		{"full buffer", bytesList(small, 1000), []int{gatherBytes / 100 * 100}},
		{"many large", bytesList(large, 20), []int{4097, 4097, 4097, 4097, 4097, 4097, 4097, 4097}},
	} {
		var q queue
		for _, p := range tc.frames {
			q.push(p)
		}
		b := q.take()
		var got []int
		for _, p := range new(flusher).gather(&b) {
			got = append(got, len(p))
		}
		if fmt.Sprint(got) != fmt.Sprint(tc.parts) {
			t.Errorf("%s: parts of %v bytes, want %v", tc.name, got, tc.parts)
		}
	}
}

func bytesList(p []byte, n int) (l [][]byte) {
	for range n {
		l = append(l, p)
	}
	return l
}

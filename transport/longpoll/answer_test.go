package longpoll

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// nowhere is a ResponseWriter that keeps nothing of the body.
type nowhere struct {
	*httptest.ResponseRecorder
	n int
}

func (w *nowhere) Write(b []byte) (int, error) { w.n += len(b); return len(b), nil }

// TestLargeAnswer writes an answer of some MiB: it is whole, and never in memory as a whole.
func TestLargeAnswer(t *testing.T) {
	srv := testServer(t, nil)
	h := mustHandler(t, srv, &exchange{}, nil)
	messages := [][]byte{[]byte(strings.Repeat("\"é\n", 500_000)), nil, []byte(strings.Repeat("x", 1<<20))}
	w := httptest.NewRecorder()
	if err := h.answer(w, 200, "token", messages, nil); err != nil {
		t.Fatal(err)
	}
	length := w.Body.Len()
	res := w.Result()
	if res.ContentLength != int64(length) {
		t.Errorf("Content-Length %d, of %d", res.ContentLength, length)
	}
	r, err := readReply(res)
	if err != nil {
		t.Fatal(err)
	}
	r.want(t, 200, string(messages[0]), "", string(messages[2]))

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out := &nowhere{ResponseRecorder: httptest.NewRecorder()}
	if err := h.answer(http.ResponseWriter(out), 200, "token", messages, nil); err != nil || out.n != length {
		t.Fatalf("%d bytes, %v", out.n, err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 512<<10 {
		t.Errorf("%d bytes were allocated for an answer of %d", n, length)
	}
}

package replay

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bennu-go/bennu/measure/internal/plain"
)

// hearerCount is how many clients hear the broadcasts of the live topic.
const hearerCount = 20

// hearers note how long broadcasts of the live topic took.
type hearers struct {
	mu    sync.Mutex
	taken []time.Duration
}

// hear connects the hearers.
func hear(addr string) (*hearers, error) {
	h := new(hearers)
	for range hearerCount {
		conn, err := plain.Dial(addr)
		if err != nil {
			return nil, err
		}
		if err := conn.Push(live, "phx_join", `{"since":null}`); err != nil {
			return nil, err
		}
		go h.run(&client{conn, bufio.NewReaderSize(conn, 4<<10)})
	}
	return h, nil
}

func (h *hearers) run(c *client) {
	for {
		text, err := c.next()
		if err != nil {
			return
		}
		if !bytes.HasPrefix(text, []byte("[null,")) {
			continue
		}
		took := time.Duration(time.Now().UnixNano() - int64(number(text, `"at":`)))
		h.mu.Lock()
		h.taken = append(h.taken, took)
		h.mu.Unlock()
	}
}

// times describes the times since the last call.
func (h *hearers) times() string {
	h.mu.Lock()
	taken := h.taken
	h.taken = nil
	h.mu.Unlock()
	if len(taken) == 0 {
		return "no broadcast came"
	}
	slices.Sort(taken)
	at := func(p float64) time.Duration {
		return taken[min(len(taken)-1, int(p*float64(len(taken))))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%d deliveries, p50 %v, p99 %v, the last after %v", len(taken), at(0.5), at(0.99), at(1))
}

package longpoll

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/wire"
)

// TestCutResponses has a client that adopts tokens and whose answers are cut
// anywhere: in the status line, the header, the body, or after its end. Nothing is
// lost, nothing comes twice, all is in order.
func TestCutResponses(t *testing.T) {
	cuts := 1000
	if testing.Short() {
		cuts = 100
	}
	x := &exchange{}
	st := newSite(t, x, nil)
	token := st.open(ackHeader, "1")
	conn := x.last().conn
	r := rand.New(rand.NewPCG(7, 8))

	// What is sent depends on what has arrived, so that it fits into the buffer.
	const behind = 50
	var mu sync.Mutex
	received, sent, stop := 0, 0, false
	var sender sync.WaitGroup
	sender.Go(func() {
		for {
			mu.Lock()
			wait, over := sent-received >= behind, stop
			mu.Unlock()
			switch {
			case over:
				return
			case wait:
				time.Sleep(100 * time.Microsecond)
				continue
			}
			if !conn.Send(seal(wire.Text, fmt.Sprintf(`[%d,"\"%s"]`, sent, strings.Repeat("x", sent%100)))) {
				t.Error("refused")
				return
			}
			mu.Lock()
			sent++
			mu.Unlock()
		}
	})
	defer sender.Wait()
	defer func() { mu.Lock(); stop = true; mu.Unlock() }()

	done := 0
	var last string // the token of the last batch that was worked off
	for done < cuts {
		whole := r.IntN(3) == 0
		rep, err := cutPoll(st, token, func(n int) int {
			if whole {
				return n
			}
			return r.IntN(n + 1)
		})
		if err != nil {
			done++
			continue // with the same token
		}
		if rep.http != 200 || rep.Status != 200 {
			t.Fatal(rep)
		}
		if rep.Token == last {
			token = rep.Token // it is the batch that it had
			continue
		}
		last = rep.Token
		for _, m := range rep.Messages {
			var i int
			if _, err := fmt.Sscanf(m, "[%d,", &i); err != nil || i != received {
				t.Fatalf("after %d cuts: got %.40q, want message %d", done, m, received)
			}
			mu.Lock()
			received++
			mu.Unlock()
		}
		if r.IntN(10) > 0 {
			token = rep.Token
		} // else it forgets that it has it, and asks again
	}
	if s := st.srv.Stats(); s.Extra["redelivered"] == 0 || s.Opened != 1 {
		t.Errorf("%+v", s)
	}
	t.Logf("%d messages, %d cuts", received, done)
}

// cutPoll polls on a connection of its own, of which keep says how many bytes of n
// arrive.
func cutPoll(st *site, token string, keep func(n int) int) (*reply, error) {
	nc, err := net.Dial("tcp", strings.TrimPrefix(st.url, "http://"))
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(nc, "GET /?vsn=2.0.0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s: %s\r\n\r\n", tokenHeader, token)
	// The first bytes tell how long the answer will be, roughly.
	head := make([]byte, 200)
	n, err := io.ReadFull(nc, head)
	if err != nil {
		return nil, err
	}
	if k := keep(600); k < n {
		return nil, io.ErrUnexpectedEOF
	} else if k < 600 {
		more := make([]byte, k-n)
		m, _ := io.ReadFull(nc, more)
		head = append(head[:n], more[:m]...)
	} else {
		rest, err := io.ReadAll(nc)
		if err != nil {
			return nil, err
		}
		head = append(head, rest...)
	}
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return readReply(res)
}

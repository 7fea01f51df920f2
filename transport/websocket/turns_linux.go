//go:build !noepoll

package websocket

import "time"

const (
	// turnsInARow is from how many connections a poller reads before others have their turn, and
	// turnsFor for how long.
	turnsInARow = 32
	turnsFor    = 2 * time.Millisecond
)

// turns is a queue of connections. The zero value is empty.
type turns struct {
	list []*conn
	at   int // the first of list that is in the queue
}

// maxTurnsKept is how many entries an empty queue keeps memory for.
const maxTurnsKept = 1024

func (q *turns) len() int { return len(q.list) - q.at }

func (q *turns) push(c *conn) {
	if len(q.list) == cap(q.list) && q.at > len(q.list)/2 {
		n := copy(q.list, q.list[q.at:])
		clear(q.list[n:])
		q.list, q.at = q.list[:n], 0
	}
	q.list = append(q.list, c)
}

// pop takes the first. There must be one.
func (q *turns) pop() *conn {
	c := q.list[q.at]
	q.list[q.at] = nil
	if q.at++; q.at == len(q.list) {
		q.list, q.at = q.list[:0], 0
		if cap(q.list) > maxTurnsKept {
			q.list = nil
		}
	}
	return c
}

// serve reads from so many of the first ones, each once, and puts those with more to read behind
// the others.
func (q *turns) serve(s *server, buf []byte, most int) {
	began := s.now()
	now := began
	for range min(q.len(), most) {
		c := q.pop()
		c.heard = now // that it has waited was no pause of its client's
		if (*polled)(c).turn(buf, q.len() > 0) {
			q.push(c)
		}
		if now = s.now(); now-began >= turnsFor {
			break
		}
	}
}

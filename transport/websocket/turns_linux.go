//go:build !noepoll

package websocket

import "time"

const (
	// turnsInARow is how many connections a poller reads from before it fetches events again, and
	// turnsFor how long that may take.
	turnsInARow = 32
	turnsFor    = 2 * time.Millisecond
)

// turns is a queue of connections whose turn to be read comes later. The zero value is empty.
type turns struct {
	list []*conn
	at   int // index of the first one
}

// maxTurnsKept is the capacity up to which an empty queue keeps its memory.
const maxTurnsKept = 1024

// len returns the number of connections.
func (q *turns) len() int { return len(q.list) - q.at }

// push appends a connection. Memory before the first one is used again.
func (q *turns) push(c *conn) {
	if len(q.list) == cap(q.list) && q.at > len(q.list)/2 {
		n := copy(q.list, q.list[q.at:])
		clear(q.list[n:])
		q.list, q.at = q.list[:n], 0
	}
	q.list = append(q.list, c)
}

// pop removes and returns the first connection. The queue is not empty.
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

// serve reads once from each of the first connections, most at most, and puts those with more to
// read at the end of the queue.
func (q *turns) serve(s *server, buf []byte, most int) {
	began := s.now()
	now := began
	for range min(q.len(), most) {
		c := q.pop()
		c.heard = now // the wait was not a pause of the client
		if (*polled)(c).turn(buf, q.len() > 0) {
			q.push(c)
		}
		if now = s.now(); now-began >= turnsFor {
			break
		}
	}
}

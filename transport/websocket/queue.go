package websocket

import (
	"sync"
	"time"
)

// queue is the queue of frames of one connection. A single frame is in the queue itself and takes
// no memory; more are in a pooled list. The counts include frames that were taken to be written and
// are not written yet.
// Most connections have at most one frame waiting most of the time, so this saves memory.
type queue struct {
	first []byte
	more  *frameList // nil unless first is set
	bytes int
	msgs  int
}

// frameList is a list of frames from the pool frameLists.
type frameList struct{ frames [][]byte }

// maxPooled is the capacity up to which a list goes back to the pool.
const maxPooled = 4096

// frameLists keeps lists of frames. A connection has one only while more than one frame waits.
var frameLists = sync.Pool{New: func() any { return &frameList{frames: make([][]byte, 0, 32)} }}

// free gives a list back to the pool. The list may be nil.
func (l *frameList) free() {
	if l == nil || cap(l.frames) > maxPooled {
		return
	}
	clear(l.frames)
	l.frames = l.frames[:0]
	frameLists.Put(l)
}

// fits reports whether another frame of n bytes fits the bounds. A frame of any size up to the
// bound fits while at most an eighth of the bound is in use, since a client with so little waiting
// is not slow.
func (q *queue) fits(n int, l *limits) bool {
	return q.msgs < l.queueMsgs && (n <= l.queueBytes-q.bytes || n <= l.queueBytes && q.bytes <= l.queueBytes/8)
}

// empty reports whether nothing waits to be taken.
func (q *queue) empty() bool { return q.first == nil }

// push appends a frame, which must not be empty.
func (q *queue) push(b []byte) {
	q.bytes += len(b)
	q.msgs++
	if q.first == nil {
		q.first = b
		return
	}
	if q.more == nil {
		q.more = frameLists.Get().(*frameList)
	}
	q.more.frames = append(q.more.frames, b)
}

// take moves all frames into a batch. They stay counted until wrote.
func (q *queue) take() batch {
	b := batch{first: q.first, more: q.more}
	q.first, q.more = nil, nil
	return b
}

// wrote subtracts frames that left a batch from the counts.
func (q *queue) wrote(d progress) {
	q.bytes -= d.bytes
	q.msgs -= d.msgs
}

// drop drops all frames that were not taken.
func (q *queue) drop() {
	if q.empty() {
		return
	}
	b := q.take()
	q.wrote(b.dropAll())
}

// progress counts the bytes and whole frames that left a batch, and the system calls that wrote
// them.
type progress struct{ bytes, msgs, writes int }

// add adds the counts of another progress.
func (d *progress) add(o progress) {
	d.bytes += o.bytes
	d.msgs += o.msgs
	d.writes += o.writes
}

// batch is a list of frames that was taken from a queue, and how far it is written.
type batch struct {
	first []byte
	more  *frameList
	i     int // index of the first frame that is not wholly written
	off   int // bytes of that frame that are written

	since time.Duration // when a full socket last took bytes, on the server's clock; 0 if it is not full
}

// len returns the number of frames, including those that are written.
func (b *batch) len() int {
	switch {
	case b.first == nil:
		return 0
	case b.more == nil:
		return 1
	}
	return 1 + len(b.more.frames)
}

// done reports whether all frames are written.
func (b *batch) done() bool { return b.i >= b.len() }

// frame returns the frame with an index.
func (b *batch) frame(i int) []byte {
	if i == 0 {
		return b.first
	}
	return b.more.frames[i-1]
}

// advance records that n more bytes were written.
func (b *batch) advance(n int) progress {
	d := progress{bytes: n}
	for n > 0 {
		left := len(b.frame(b.i)) - b.off
		if n < left {
			b.off += n
			break
		}
		n -= left
		b.i++
		b.off = 0
		d.msgs++
	}
	return d
}

// trim drops the frames that are not begun, so that the client gets whole frames only.
func (b *batch) trim() progress {
	var d progress
	keep := b.i
	if b.off > 0 {
		keep++
	}
	for i := keep; i < b.len(); i++ {
		d.bytes += len(b.frame(i))
		d.msgs++
	}
	if keep == 0 {
		b.free()
	} else if b.more != nil {
		clear(b.more.frames[keep-1:])
		b.more.frames = b.more.frames[:keep-1]
	}
	return d
}

// dropAll drops all frames that are left, begun or not.
func (b *batch) dropAll() progress {
	var d progress
	for i := b.i; i < b.len(); i++ {
		d.bytes += len(b.frame(i))
		d.msgs++
	}
	d.bytes -= b.off
	b.free()
	return d
}

// free gives the list back to the pool. The batch is empty afterwards.
func (b *batch) free() {
	b.more.free()
	*b = batch{}
}

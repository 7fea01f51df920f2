package link

import "github.com/bennu-go/bennu/transport"

const (
	// batchBytes bounds the bytes of one Write, unless a single frame is larger. The client has the
	// write timeout for each batchBytes begun.
	batchBytes = 256 << 10
	// keptFrames is the capacity up to which a connection keeps a list of frames for later.
	keptFrames = 64
)

// outbox is the queue of frames for the client. The counts include the batch that is being written.
// The lists belong to this connection alone, so a link that keeps one harms only itself.
type outbox struct {
	frames []transport.Frame // not yet taken
	batch  []transport.Frame // being written
	bytes  int
	msgs   int
	taken  int // bytes of the batch
}

// fits reports whether another frame of n bytes fits the bounds. A frame of any size up to the
// bound fits while at most an eighth of the bound is in use, since a client with so little waiting
// is not slow.
func (o *outbox) fits(n int, l *limits) bool {
	return o.msgs < l.queueMsgs && (n <= l.queueBytes-o.bytes || n <= l.queueBytes && o.bytes <= l.queueBytes/8)
}

// low reports whether at most a quarter of the queue is in use.
func (o *outbox) low(l *limits) bool {
	return o.bytes <= l.queueBytes/4 && o.msgs <= l.queueMsgs/4
}

// spares reports whether at least half of the queue stays free with another frame of n bytes. A low
// queue takes any frame for which Offer does not return pace.ErrTooLarge.
func (o *outbox) spares(n int, l *limits) bool {
	return o.low(l) || n <= l.queueBytes/2-o.bytes && o.msgs < l.queueMsgs/2
}

// push appends a frame.
func (o *outbox) push(f transport.Frame) {
	o.frames = append(o.frames, f)
	o.bytes += len(f.Bytes())
	o.msgs++
}

// empty reports whether no frame waits to be taken.
func (o *outbox) empty() bool { return len(o.frames) == 0 }

// take moves frames from the queue into the batch, as many as batchBytes allows and at least one,
// and returns the batch.
func (o *outbox) take() []transport.Frame {
	n, bytes := 0, 0
	for n < len(o.frames) && (n == 0 || bytes+len(o.frames[n].Bytes()) <= batchBytes) {
		bytes += len(o.frames[n].Bytes())
		n++
	}
	o.taken = bytes
	if n == len(o.frames) {
		o.frames, o.batch = o.batch, o.frames
		return o.batch
	}
	o.batch = append(o.batch, o.frames[:n]...)
	rest := copy(o.frames, o.frames[n:])
	clear(o.frames[rest:])
	o.frames = o.frames[:rest]
	return o.batch
}

// wrote drops the batch, which is written, and returns its size.
func (o *outbox) wrote() (bytes, msgs int) {
	bytes, msgs = o.taken, len(o.batch)
	o.bytes -= bytes
	o.msgs -= msgs
	o.taken = 0
	o.batch = emptied(o.batch)
	if o.msgs == 0 && cap(o.frames) > keptFrames {
		o.frames = nil
	}
	return bytes, msgs
}

// drop drops the frames that were not taken.
func (o *outbox) drop() {
	for _, f := range o.frames {
		o.bytes -= len(f.Bytes())
	}
	o.msgs -= len(o.frames)
	o.frames = nil
}

// emptied returns the list without its frames, for later use, or nil if it is too long to keep.
func emptied(list []transport.Frame) []transport.Frame {
	if cap(list) > keptFrames {
		return nil
	}
	clear(list)
	return list[:0]
}

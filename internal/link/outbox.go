package link

import "github.com/bennu-go/bennu/transport"

const (
	// batchBytes is how much one Write gets at most, unless a single frame is larger. A slow
	// client has the write timeout for so much.
	batchBytes = 256 << 10
	// keptFrames is how long a list of frames may be that a connection keeps for the next.
	keptFrames = 64
)

// outbox is the queue of frames for the client. The counts include the batch that is being written.
// The lists are the connection's own and no others': a link that keeps one harms itself alone.
type outbox struct {
	frames []transport.Frame // not yet taken
	batch  []transport.Frame // being written
	bytes  int
	msgs   int
	taken  int // bytes of the batch
}

// fits reports whether another n bytes keep to the bounds. A client that has little waiting
// is not slow, however large the next frame is.
func (o *outbox) fits(n int, l *limits) bool {
	return o.msgs < l.queueMsgs && (n <= l.queueBytes-o.bytes || n <= l.queueBytes && o.bytes <= l.queueBytes/8)
}

// low reports whether at most a quarter of the queue is in use.
func (o *outbox) low(l *limits) bool {
	return o.bytes <= l.queueBytes/4 && o.msgs <= l.queueMsgs/4
}

// spares reports whether the queue is half empty with another n bytes. A low queue takes any
// frame that pace.ErrTooLarge does not refuse.
func (o *outbox) spares(n int, l *limits) bool {
	return o.low(l) || n <= l.queueBytes/2-o.bytes && o.msgs < l.queueMsgs/2
}

func (o *outbox) push(f transport.Frame) {
	o.frames = append(o.frames, f)
	o.bytes += f.Len()
	o.msgs++
}

// empty reports whether nothing waits to be taken.
func (o *outbox) empty() bool { return len(o.frames) == 0 }

// take moves the queued frames, or the first of them, into the batch.
func (o *outbox) take() []transport.Frame {
	n, bytes := 0, 0
	for n < len(o.frames) && (n == 0 || bytes+o.frames[n].Len() <= batchBytes) {
		bytes += o.frames[n].Len()
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

// wrote forgets the batch and returns its size.
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

// drop forgets the frames that were not taken.
func (o *outbox) drop() {
	for _, f := range o.frames {
		o.bytes -= f.Len()
	}
	o.msgs -= len(o.frames)
	o.frames = nil
}

// emptied is a list for the next frames, without those that it has.
func emptied(list []transport.Frame) []transport.Frame {
	if cap(list) > keptFrames {
		return nil
	}
	clear(list)
	return list[:0]
}

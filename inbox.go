package bennu

import "github.com/bennu-go/bennu/wire"

// inbox is the queue of frames that arrive while a join of the connection runs, in order. The
// socket's lock guards it. When it is full, the connection stops reading until half of each bound
// is free.
type inbox struct {
	frames []heldFrame
	bytes  int
	resume chan struct{} // closed when the connection may read on; nil while it need not wait
}

// heldFrame is a frame in an inbox, not yet decoded.
type heldFrame struct {
	op   wire.Opcode
	data []byte
}

// Bounds of an inbox. A client that joins 100 topics at once, as after a reconnect, stays below
// them.
const (
	inboxFrames = 256
	inboxBytes  = 256 << 10
)

// push appends a frame. When the inbox is full, the frame is still taken, and the connection must
// not read on before resume is closed.
func (b *inbox) push(op wire.Opcode, data []byte) (resume <-chan struct{}) {
	b.frames = append(b.frames, heldFrame{op, data})
	b.bytes += cap(data) // the memory that the frame keeps
	if len(b.frames) < inboxFrames && b.bytes < inboxBytes {
		return nil
	}
	if b.resume == nil {
		b.resume = make(chan struct{})
	}
	return b.resume
}

// pop removes and returns the first frame. It reports false when there is none.
func (b *inbox) pop() (heldFrame, bool) {
	if len(b.frames) == 0 {
		b.frames = nil
		return heldFrame{}, false
	}
	f := b.frames[0]
	b.frames[0] = heldFrame{}
	b.frames = b.frames[1:]
	b.bytes -= cap(f.data)
	if b.resume != nil && len(b.frames) <= inboxFrames/2 && b.bytes <= inboxBytes/2 {
		close(b.resume)
		b.resume = nil
	}
	return f, true
}

// clear drops all frames and lets the connection read on.
func (b *inbox) clear() {
	b.frames, b.bytes = nil, 0
	if b.resume != nil {
		close(b.resume)
		b.resume = nil
	}
}

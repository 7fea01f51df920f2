package bennu

import "github.com/bennu-go/bennu/wire"

// inbox holds the frames behind a join that runs, in order. It is bounded: past
// its bounds the connection stops reading until half is worked off.
type inbox struct {
	frames []heldFrame
	bytes  int
	resume chan struct{}
}

type heldFrame struct {
	op   wire.Opcode
	data []byte
}

// A client that joins all its topics at once, as it does after a reconnect, fits.
const (
	inboxFrames = 256
	inboxBytes  = 256 << 10
)

func (b *inbox) push(op wire.Opcode, data []byte) (resume <-chan struct{}) {
	b.frames = append(b.frames, heldFrame{op, data})
	b.bytes += cap(data) // which is what it keeps
	if len(b.frames) < inboxFrames && b.bytes < inboxBytes {
		return nil
	}
	if b.resume == nil {
		b.resume = make(chan struct{})
	}
	return b.resume
}

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

func (b *inbox) clear() {
	b.frames, b.bytes = nil, 0
	if b.resume != nil {
		close(b.resume)
		b.resume = nil
	}
}

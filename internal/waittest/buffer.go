package waittest

import (
	"bytes"
	"sync"
)

// Buffer is a bytes.Buffer that may be written and read at the same time. What comes after
// the first Most bytes is dropped; 0 keeps all.
type Buffer struct {
	Most int

	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Most == 0 || b.buf.Len() < b.Most {
		b.buf.Write(p)
	}
	return len(p), nil
}

func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

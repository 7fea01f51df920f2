package seam

import "context"

// Memory asks for a connection within the process, such as one of a test's client. It is in the
// context of a request at the path of a mount. The endpoint makes all checks, calls Connect, and
// sets one of the fields; the transport at that path takes no part.
type Memory struct {
	Receiver Receiver // of the accepted connection, which is not open yet
	Err      error    // why it was refused
}

// MemoryName is the name of the transport of such connections.
const MemoryName = "memory"

type memoryKey struct{}

// WithMemory returns a context with m.
func WithMemory(ctx context.Context, m *Memory) context.Context {
	return context.WithValue(ctx, memoryKey{}, m)
}

// MemoryOf returns the Memory in a context, or nil.
func MemoryOf(ctx context.Context) *Memory {
	m, _ := ctx.Value(memoryKey{}).(*Memory)
	return m
}

// InMemory returns a host of the same mount for in-memory connections.
func (h *Host) InMemory(a Acceptor) *Host {
	in := *h
	in.Name, in.Acceptor = MemoryName, a
	in.Traits.Manner = Manner{Transport: MemoryName, HeaderToken: true, Offers: true}
	return &in
}

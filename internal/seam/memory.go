package seam

import "context"

// Memory is the place of a connection within the process, such as that of a test's client. The
// request that asks for it has it in its context. The endpoint makes all checks, asks Connect, and
// sets one of the fields, in place of letting the transport at the path answer.
type Memory struct {
	Receiver Receiver // of a connection that was accepted, and is not open yet
	Err      error    // why it was refused
}

// MemoryName is the name of the transport of such connections.
const MemoryName = "memory"

type memoryKey struct{}

// WithMemory returns a context that has a connection.
func WithMemory(ctx context.Context, m *Memory) context.Context {
	return context.WithValue(ctx, memoryKey{}, m)
}

// MemoryOf returns the connection that a context has, or nil.
func MemoryOf(ctx context.Context) *Memory {
	m, _ := ctx.Value(memoryKey{}).(*Memory)
	return m
}

// InMemory is a host for the same mount of which the clients are in memory.
func (h *Host) InMemory(a Acceptor) *Host {
	in := *h
	in.Name, in.Acceptor = MemoryName, a
	in.Traits.Manner = Manner{Transport: MemoryName, HeaderToken: true, Offers: true}
	return &in
}

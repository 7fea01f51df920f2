package bennu

import (
	"context"
	"errors"
	"sync"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// transports are the servers of an endpoint's transports. All mounts of one kind share a server,
// and Shutdown ends all of them together.
type transports struct {
	mu   sync.Mutex
	list []shared
}

// shared is a server with the name of its transport, and the key by which its mounts find it.
type shared struct {
	seam.Server
	name string
	key  any
}

// shared returns the server of a key. If there is none, newServer makes it.
func (t *transports) shared(name string, key any, newServer func() seam.Server) seam.Server {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.list {
		if s.key == key {
			return s.Server
		}
	}
	s := newServer()
	t.list = append(t.list, shared{s, name, key})
	return s
}

// all returns the servers made so far.
func (t *transports) all() []shared {
	t.mu.Lock()
	defer t.mu.Unlock()
	// Clipped, so that shared never writes into the list of a caller.
	return t.list[:len(t.list):len(t.list)]
}

// drained waits until every connection that was closed has ended; see seam.Server.Drained.
func (t *transports) drained(ctx context.Context) error {
	var err error
	for _, s := range t.all() {
		err = errors.Join(err, s.Drained(ctx))
	}
	return err
}

// close closes all connections with code, and makes the servers refuse new ones.
func (t *transports) close(code transport.CloseCode) {
	for _, s := range t.all() {
		s.Close(code)
	}
}

// abort ends all connections at once.
func (t *transports) abort() {
	for _, s := range t.all() {
		s.Abort()
	}
}

// wait waits until no server has a connection, a goroutine or a request left.
func (t *transports) wait(ctx context.Context) error {
	var err error
	for _, s := range t.all() {
		err = errors.Join(err, s.Wait(ctx))
	}
	return err
}

// stats returns the counters by the names of the transports; those of one name are added up.
func (t *transports) stats() map[string]transport.Stats {
	all := make(map[string]transport.Stats)
	for _, s := range t.all() {
		sum, one := all[s.name], s.Stats()
		seam.Add(&sum, &one)
		all[s.name] = sum
	}
	return all
}

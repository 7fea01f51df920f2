package bennu

import (
	"context"
	"errors"
	"sync"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// transports are the servers of an endpoint's transports: one for each kind, which all mounts
// share. Shutdown ends them together.
type transports struct {
	mu   sync.Mutex
	list []shared
}

// shared is a server, the name of the transport, and the key by which its mounts find it.
type shared struct {
	seam.Server
	name string
	key  any
}

// shared returns the server of a key, which is made when there is none.
func (t *transports) shared(name string, key any, make func() seam.Server) seam.Server {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.list {
		if s.key == key {
			return s.Server
		}
	}
	s := make()
	t.list = append(t.list, shared{s, name, key})
	return s
}

// all are the servers that there are.
func (t *transports) all() []shared {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list[:len(t.list):len(t.list)]
}

// drained waits until none of the connections that were closed is left.
func (t *transports) drained(ctx context.Context) error {
	var err error
	for _, s := range t.all() {
		err = errors.Join(err, s.Drained(ctx))
	}
	return err
}

// close closes what is left, and ends all servers.
func (t *transports) close(code transport.CloseCode) {
	for _, s := range t.all() {
		s.Close(code)
	}
}

// abort cuts what is left.
func (t *transports) abort() {
	for _, s := range t.all() {
		s.Abort()
	}
}

// wait waits until no connection and no request is left.
func (t *transports) wait(ctx context.Context) error {
	var err error
	for _, s := range t.all() {
		err = errors.Join(err, s.Wait(ctx))
	}
	return err
}

// stats are the counters, by the names of the transports.
func (t *transports) stats() map[string]transport.Stats {
	all := make(map[string]transport.Stats)
	for _, s := range t.all() {
		sum, one := all[s.name], s.Stats()
		seam.Add(&sum, &one)
		all[s.name] = sum
	}
	return all
}

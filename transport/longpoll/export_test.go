package longpoll

import (
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// Handler is a handler as MountSeam makes it, of a server without an endpoint.
func (s *server) Handler(a seam.Acceptor, checks *transport.Checks, opts *Options) (*handler, error) {
	host := &seam.Host{Name: name, Acceptor: a, Book: s.book, Traits: New(opts).(seam.Mounter).Traits()}
	if checks != nil {
		host.Checks = *checks
	}
	return s.handler(host, opts)
}

// extra is a counter of the server's own.
func (s *server) extra(name string) uint64 { return s.Stats().Extra[name] }

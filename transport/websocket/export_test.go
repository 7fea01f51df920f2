package websocket

import (
	"errors"
	"net"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
)

// The tests outside of the package use a server without an endpoint.
type (
	Server       = server
	ServerConfig = serverConfig
)

var NewServer = newServer

const (
	DefaultWriteTimeout = defaultWriteTimeout
	DefaultIdleTimeout  = defaultIdleTimeout
)

// ErrServerClosed is NewConn's.
var ErrServerClosed = errors.New("websocket: server closed")

// NewConn serves WebSocket on nc, for which the handshake is already done. The server owns nc from
// then on, also when it returns an error.
func (s *server) NewConn(nc net.Conn, r seam.Receiver, opts *Options) (seam.Conn, error) {
	l, err := s.limits(opts)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	if !s.enter() {
		_ = nc.Close()
		return nil, ErrServerClosed
	}
	defer s.goroutines.Done()
	return s.open(nc, r, l, nil), nil
}

// Handler is a handler as MountSeam makes it.
func (s *server) Handler(a seam.Acceptor, checks *transport.Checks, opts *Options) (*handler, error) {
	return s.HandlerOf(&seam.Host{Acceptor: a}, checks, opts)
}

// HandlerOf is Handler for a host with more than an acceptor.
func (s *server) HandlerOf(host *seam.Host, checks *transport.Checks, opts *Options) (*handler, error) {
	host.Name, host.Book, host.Traits = name, s.book, New(opts).(seam.Mounter).Traits()
	if checks != nil {
		host.Checks = *checks
	}
	return s.handler(host, opts)
}

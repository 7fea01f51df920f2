// Package websocket is the transport over WebSocket, RFC 6455: [New] is for
// SocketOptions.Transports.
//
// All mounts of an endpoint share a server, which owns every goroutine of its connections. The
// handler of a mount checks a request, asks Connect, upgrades, and hands the connection to the
// server.
//
// Reading: what arrives is fed to the connection's parser, which takes memory only for
// bytes that are here and never for a length that a client merely declared. While
// nothing arrives no connection holds a buffer. Two engines wait for it. Engine B, on
// Linux and over plain TCP, has a few pollers for all connections; each waits with epoll,
// reads, and calls the receivers of its connections, one after another. A connection has
// a goroutine only while it opens, while its receiver holds it back, and when it ends.
// Engine A, for TLS, for other systems, for a net.Conn that is not of package net, and
// with EndpointOptions.NoEpoll, has a goroutine for each connection. Nothing else
// differs, except that engine B notices a deadline up to 50 ms late, that of the idle
// timeout up to a sixteenth of it, but never more than a second.
//
// A client that sends more than a read's worth without a pause waits for its turn, as does one
// whose receiver has held it back: few of them are read from at one time, and what they cause
// is done before the next. So a message of another client does not wait for a flood. With
// engine B such connections are in the backlog of their poller, which a goroutine serves while
// there are some.
//
// Engine B closes the net.Conn it is given and goes on with a duplicate of its socket,
// because a net.Conn takes a kilobyte.
//
// Writing: Send appends a ready frame to the connection's bounded queue and marks
// the connection. A few flush workers, which exist only while there is something
// to write, write all that is queued on a connection with one system call. Pings, and the
// ends of idle connections, come after answers. A
// socket that takes no more is left to the poller, or with engine A to a goroutine of
// its own, with a deadline, so a slow client holds up nobody else.
package websocket

// Package websocket is the transport over WebSocket, RFC 6455. [New] returns it for
// SocketOptions.Transports.
//
// All mounts of an endpoint share a server, which owns every goroutine of its connections. The
// handler of a mount checks a request, calls Connect, upgrades, and gives the connection to the
// server.
//
// Reading: the bytes that arrive go to the parser of the connection, which allocates memory for
// bytes that have arrived and never for a length that a client merely declared. While nothing
// arrives, no connection holds a buffer. There are two ways to wait for bytes:
//
//   - A polled connection, on Linux and over plain TCP, has no goroutine of its own. A few pollers
//     each wait with epoll for many connections, read, and call the receivers one after another. A
//     polled connection has a goroutine only while it opens, while its receiver keeps it from
//     reading, and when it ends.
//   - A parked connection has a goroutine that waits for its socket. It is used for TLS, on other
//     systems, for a net.Conn that is not of package net, and with EndpointOptions.NoEpoll.
//
// Nothing else differs, except that a polled connection notices a deadline up to 50 ms late, and
// that of the idle timeout up to a sixteenth of it late, but never more than a second.
//
// A client that sends more than one read takes, without a pause, must wait for its turn, and so
// must one whose receiver has kept it from reading. Only a few of these connections are read at one
// time, and their messages are handled before the next are read. So a message of another client
// does not wait behind a flood. Polled connections of this kind are in the backlog of their poller,
// which a goroutine serves while there are any.
//
// A polled connection uses a duplicate of its socket and closes the net.Conn, because a net.Conn
// takes a kilobyte of memory.
//
// Writing: Send appends a frame to the bounded queue of the connection and marks the connection. A
// few flush workers, which exist only while there is something to write, write the whole queue of a
// connection with one system call. Pings, and the ends of idle connections, come after answers. A
// connection whose socket is full waits for its poller, or in a goroutine of its own if it is
// parked, with a deadline. So a slow client does not delay others.
package websocket

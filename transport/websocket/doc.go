// Package websocket carries connections over WebSocket, RFC 6455.
//
// A [Server] belongs to one endpoint and owns every goroutine of its
// connections. A [Handler] belongs to one mount: it checks a request, asks the
// acceptor, upgrades, and hands the connection to the server.
//
// Reading: each connection has one goroutine, which waits for the socket
// without holding a buffer. What arrives is read into a pooled buffer and fed
// to the connection's parser, which takes memory only for bytes that are here
// and never for a length that a client merely declared.
//
// Writing: Send appends a ready frame to the connection's bounded queue and marks
// the connection. A few flush workers, which exist only while there is something
// to write, write all that is queued on a connection with one system call. A
// socket that takes no more is left to a goroutine of its own with a deadline, so
// a slow client holds up nobody else.
package websocket

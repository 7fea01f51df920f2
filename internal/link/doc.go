// Package link runs a transport.Link as the connection of a socket: it makes the seam.Conn of
// package seam, which never blocks, from the blocking interface that a transport implements.
//
// A [Group] has the connections of all transports of one name at one endpoint. A connection has one
// to four goroutines. The reader is the caller of Session.Serve: it calls Link.Read and the
// receiver, and returns when the connection is over. The writer exists while there is something to
// write: it calls Link.Write, and Link.Close with a code. If the connection ends while the reader
// waits, in Link.Read or for the receiver, a third goroutine calls Receiver.Closed. A fourth calls
// Link.Close(0).
//
// One timer watches for silence, for a Write or Close that does not return, for a receiver that
// takes no messages, and for a close that the client does not answer.
//
// Whatever a method of a Link does, it affects only its own connection. A panic or runtime.Goexit
// is logged and ends the connection. A method that does not return is logged, and the channels see
// the end of the connection all the same; but Serve does not return, and Group.Wait waits for it.
//
// Group.mu and conn.mu are never held together. While conn.mu is held, no function of a transport,
// a receiver or a log is called.
package link

// Package link runs a transport.Link as a connection of a socket: the blocking interface that
// a transport implements becomes the one of package seam, which never blocks.
//
// A [Group] has the connections of one endpoint. A connection has two goroutines at most. The
// reader is the caller of [Group.Serve]: it calls Link.Read and the receiver, and sees the
// connection to its end. The writer exists while there is something to write: it calls
// Link.Write and Link.Close with a code. One timer watches for silence, for a Write that does
// not return and for a close that is not answered. When the connection ends while the reader
// waits in Link.Read, a third goroutine tells the receiver, and when Link.Close(0) must end
// that wait, a fourth calls it; both end at once.
//
// Whatever a method of a Link does, it harms its own connection alone: a panic and
// runtime.Goexit are said and end it; one that does not return is said, and its channels hear
// of the end all the same. Only Serve does not return then, and Group.Wait waits for it.
//
// Lock order: Group.mu and conn.mu are never held together. Under conn.mu nothing is called
// that belongs to a transport, a receiver or a log.
package link

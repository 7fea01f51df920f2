package websocket

// engine is the way in which a connection waits for its socket. There are two: parked has a
// goroutine for each connection and works everywhere; polled has a few pollers for all connections,
// and needs Linux and a socket that can be used without its net.Conn. Everything else is the same
// for both: parser, receiver, queue, limits, and the order in which things end.
//
// newConn chooses: polled if server.poll can, and otherwise parked. The choice never changes.
type engine interface {
	// start begins to read and returns at once. early has the bytes that arrived with the
	// handshake.
	start(early []byte)

	// write writes f.b until it is written or the socket is full, and counts in f.done. The caller
	// of write, wait and closeWrite is the writer.
	write(f *flusher) error
	// wait takes the rest of a batch, and the role of the writer, until the socket takes more or
	// the write timeout has passed.
	wait(b *batch)
	// closeWrite closes the server's side of the socket, and reports whether it could.
	closeWrite() bool
	// hungUp reports whether the client has closed its side or is lost, even if unread bytes come
	// first. It returns false if the system cannot tell. The caller is the reader.
	hungUp() bool
	// abort closes the socket after conn.lost, unless the engine does so elsewhere.
	abort()

	// These two are called with conn.mu held. wakeLocked is called by conn.wakeLocked, to wake the
	// reader. idleLocked is called when nobody is the writer any more.
	wakeLocked()
	idleLocked()
}

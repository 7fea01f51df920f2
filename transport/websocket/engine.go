package websocket

// engine is how a connection waits for its socket. Engine A parks a goroutine for
// each connection and works everywhere; it is parked. Engine B has a few pollers for all
// connections and needs Linux and a socket that can be used without its net.Conn; it is
// polled. All else is the same: parser, receiver, queue, limits, and the order in which
// things end.
type engine interface {
	// start begins to read, with what has come already, and returns.
	start(early []byte)

	// write writes f.b as far as the socket takes it at once, and counts in f.done. The
	// caller has the role of the writer, as for wait and closeWrite.
	write(f *flusher) error
	// wait takes the rest of a batch and the role of the writer, until the socket
	// takes more or the write timeout is over.
	wait(b *batch)
	// closeWrite ends the server's side of the socket and reports whether it could.
	closeWrite() bool
	// hungUp reports whether the client has closed its side or is lost, whatever it has sent
	// before, where the system can tell. The caller has the role of the reader.
	hungUp() bool
	// abort closes the socket after conn.lost, if that needs to be done at once.
	abort()

	// These two are called with conn.mu held. wakeLocked is told of what
	// conn.wakeLocked is; idleLocked that nobody has the role of the writer.
	wakeLocked()
	idleLocked()
}

// Package transport is the seam between sockets and what carries their connections. A transport of
// one's own is a [Transport], which makes a [Link] of each connection; frames, close codes, the
// checks before a connection is accepted, and what the application may know of the request are
// here for all transports. A transport knows nothing of topics or JSON, and the socket nothing of
// how frames travel.
//
// Package transport/websocket has the one that a socket has by default, and transport/longpoll the
// one for clients whose proxies break WebSocket. SocketOptions.Transports lists those of a socket.
//
// A request becomes a connection in these steps. A path matches and gives the variables of the
// mount. The mount's [Checks] bound the request's size, decode its parameters, and look at origin,
// auth token and subprotocol; the result is a [ConnectInfo]. Connect decides over that. Only then
// does the transport look at what is its own, such as the headers of a WebSocket upgrade, and
// answers. Clients see this order, so all transports keep it.
//
// # A transport of one's own
//
// Endpoint.Socket gives each mount that lists a transport to its method Mount. The transport takes
// requests there, over HTTP with [Mount].Handle, or with [Mount].Go from whatever it listens to.
// It has each accepted by [Mount].Accept, does its handshake, and calls [Session].Serve with a
// [Link]. All else is bennu's: the queue and its bounds, slow clients, idle time, back-pressure,
// the order of a close, drain, panics, counters and logs. Package transporttest is the suite that
// a transport must pass, and examples/lines of this module is a whole one.
//
// These are the laws between the two. A check of the suite stands for each.
//
//   - Who: Read is called by the goroutine that called Serve. Write, and Close with a code, are
//     called by one other goroutine at a time, never two at once. Close(0) may be called by any, at
//     any time, and is called once; a Read or a Write that runs at that moment, or is about to
//     begin, returns. So a Link needs no lock for writing.
//   - When: the transport answers the handshake after Accept and before Serve. A message that
//     comes together with the handshake is for the first Read. Before Serve nothing is written that is
//     not of the handshake, and Read is not called again after an error.
//   - Reading: Read returns whole messages, one at a time, in the order in which they were sent,
//     each once, and never a part of one. Its memory is bennu's from then on: the next Read uses
//     other. A message longer than MaxMessage closes the connection with 1009, best by a
//     *ClosedError before it is read, and text that is not UTF-8 with 1007; bennu looks at both
//     again.
//   - Ends: a client that closes in order is io.EOF, and one that is lost is another error.
//   - Writing: Write sends all frames, in order, and returns by its deadline, which is
//     WriteTimeout from now for each 256 KiB begun. It does not keep the slice, waits for no more
//     to send, and buffers nothing that could grow. Half a second after the deadline it is cut.
//   - Frames and their bytes belong to all connections that get them: copy a frame to change it.
//     [Frame].Bytes is a whole unmasked frame of RFC 6455, made once for all connections, which
//     streams of bytes should send. Of text, no more than whitespace between values may change.
//   - Coalescing: while a Write runs, frames gather, and the next Write gets them, up to 256 KiB or
//     one frame. There is no timer, so nothing is delayed.
//   - Back-pressure: Read is not called while the socket holds the connection back, because of a
//     full mailbox, the message rate or a join; that time does not count as idle. Whoever sends to
//     a client never waits: a frame that does not fit the queue closes the connection with 1013.
//   - Closing: the queue is written, then Close is called with the code, once; Read goes on,
//     for up to CloseLinger, until the client has closed its side, too; then comes Close(0). After a
//     *ClosedError of Read the client has all of CloseLinger to take the code. After another error
//     of Read or an error of Write, after a panic, and when the context of Shutdown ends, Close(0)
//     comes alone. The channels hear of an end at once, before the queue is written.
//   - Panics, and runtime.Goexit, in a method of a Link are logged with their stack and cut its
//     connection; those in a handler answer 500, and those in a function of Go end it. Other
//     connections and the process go on. A method that never returns is logged, and its
//     connection has ended all the same, but Serve and Shutdown wait for it.
//   - Shutdown: the contexts of Go end first, and listeners close; then connections are closed
//     with 1012 and those that are not accepted yet refused. Shutdown waits for every function of Go
//     and every Serve.
//   - HTTP: Serve may run in a handler, for hours. The handler first clears the deadlines of the
//     server, with SetReadDeadline(time.Time{}) and SetWriteDeadline(time.Time{}) of an
//     http.ResponseController, and uses that for all that middleware may have wrapped.
//     http.Server.Shutdown waits for such handlers, so Endpoint.Shutdown must run beside it, as
//     Endpoint.Serve has it.
//   - Mistakes are told where they are made. Handle and Limits panic after Mount has returned; Serve
//     called twice or without a Link, and Accept without a URL, are errors, which are logged too.
package transport

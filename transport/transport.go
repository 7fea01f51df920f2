// Package transport is the interface between sockets and the transports that carry their
// connections. To write a transport, implement [Transport], which makes a [Link] of each
// connection. The package also has what all transports share: frames, close codes, the checks
// before a connection is accepted, and the description of a request that the application gets. A
// transport knows nothing of topics or JSON, and the socket knows nothing of how frames travel.
//
// SocketOptions.Transports lists the transports of a socket: by default that of package
// transport/websocket; transport/longpoll is for clients behind proxies that break WebSocket.
//
// A request becomes a connection in these steps. A path matches and gives the variables of the
// mount. The mount's [Checks] bound the size of the request, decode its parameters, and look at
// origin, auth token and subprotocol; the result is a [ConnectInfo]. Connect decides about that.
// Only then does the transport check what is its own, such as the headers of a WebSocket upgrade,
// and answers. Clients can observe this order, so all transports keep it.
//
// # Writing a transport
//
// Endpoint.Socket calls the transport's Mount once for each mount that lists it. There the
// transport registers handlers with [Mount].Handle, for requests over HTTP, or starts a listener of
// its own with [Mount].Go, which needs no HTTP server. For each client it calls [Mount].Accept,
// answers the handshake, and calls [Session].Serve with a [Link]. Everything else is done by bennu:
// the queue and its bounds, slow clients, idle time, back-pressure, the order of a close, draining,
// panics, counters and logs, also of every client that is refused or closed. Package transporttest
// is the test suite that a transport must pass. The example Transport is a small transport, and
// examples/lines of this module is a complete one.
//
// These are the rules between a transport and bennu. The suite checks what the transport must do.
//
//   - Goroutines: Read is called by the goroutine that called Serve. Write, and Close with a code,
//     are called by one other goroutine at a time, never by two at once. Close(0) is called once,
//     by any goroutine at any time; a Read, Write or Close that runs at that moment, or begins
//     after it, must return. So a Link needs no lock for writing.
//   - Handshake: what comes before Accept is bounded by the transport alone: the bytes, such as to
//     16 KiB, and the time, to 10 s or less. It ends, too, when the context of Go ends.
//   - Order: the transport answers the handshake after Accept and before Serve. A message that
//     arrives together with the handshake is returned by the first Read. Before Serve, only the
//     handshake is written, and its deadlines are cleared. Read is not called again after an error.
//   - Reading: Read returns whole messages, each once, in the order in which they were sent. Their
//     memory belongs to bennu from then on, so the next Read must use other memory. A message
//     longer than MaxMessage closes the connection with 1009, and text that is not UTF-8 with 1007.
//     bennu checks both, but Read returns a *ClosedError before it has read all of a long message.
//   - Ends: Read returns io.EOF for a client that closed in order, and another error for one that
//     is lost. The bare end of a TCP connection is a loss, unless the protocol says otherwise.
//   - Writing: Write sends all frames, in order, and returns by its deadline: WriteTimeout after
//     the call, and as much again for each further 256 KiB. It must not keep the slice, wait for
//     more frames, or buffer without a bound. A Write that runs on for half a second after its
//     deadline cuts the connection. Frames that are queued while a Write runs go to the next one
//     together, up to 256 KiB or one frame. There is no timer, so nothing is delayed.
//   - Frames: a frame and its bytes are shared by all connections that get it, so copy it before
//     you change it. The first Write gets copies, and a Link that changes those is cut. Transports
//     over byte streams should send [Frame].Bytes. In text, only whitespace between JSON values may
//     be changed.
//   - Back-pressure: Read is not called while the socket takes no messages, because of a full
//     mailbox, the message rate or a join. That time does not count as idle; after 15 minutes of it
//     the connection is closed with 1013. Sending to a client never blocks: a frame that does not
//     fit the queue closes the connection with 1013.
//   - Closing: the channels end at once. The queue is written within WriteTimeout, or 10 s if that
//     is Unlimited; then Close is called once with the code, within the same time. Read goes on,
//     for up to CloseLinger, until the client has closed its side, too; then Close(0) is called.
//     bennu drops the messages that Read returns after the end, and cuts the connection after 4
//     MiB. After io.EOF of Read Close is called with 1000, and Close(0) right after it. After a
//     *ClosedError of Read the client gets all of CloseLinger to receive the code. After any other
//     error, a panic, or the end of Shutdown's context, only Close(0) is called.
//   - Panics: a panic or runtime.Goexit in a method of a Link is logged with its stack and cuts
//     that connection. In a handler it answers 500, and in a function of Go it ends that function.
//     Other connections and the process go on. A method that never returns is logged and its
//     connection ends, but Serve and Shutdown wait for it.
//   - Shutdown: first the contexts of Go end, and listeners must close. Then connections are closed
//     with 1012, and those that are not accepted yet are refused. Shutdown waits for every function
//     of Go and every Serve. A listener serves its connections in functions of Go, or waits for
//     them in its own.
//   - HTTP: Serve may run in a handler, for hours. The handler must first clear the deadlines of
//     the server, with SetReadDeadline(time.Time{}) and SetWriteDeadline(time.Time{}) of an
//     http.ResponseController. http.Server.Shutdown waits for such handlers, so Endpoint.Shutdown
//     must run at the same time, as in Endpoint.Serve.
//   - Mistakes: Handle and Limits panic after Mount has returned. A second Serve, Serve without a
//     Link, and Accept without a URL or with a request of another mount return errors, which are
//     logged. So are Refuse without an error, and a nil pointer that a method of a Link returns
//     as error, which counts as ErrLost.
package transport

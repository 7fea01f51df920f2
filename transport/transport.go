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
package transport

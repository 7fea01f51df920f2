// Package transport defines what a connection offers to a socket, and holds
// what all transports share: frames, close codes, the checks before a
// connection is accepted, and what the application may know of the request.
//
// A transport implements Conn and drives a Receiver; it knows nothing of topics
// or JSON. The socket knows nothing of how frames travel.
//
// A request becomes a connection in these steps. A Path matches and gives the
// variables of the mount. Checks.Run bounds the request's size, decodes its
// parameters, and checks origin, auth token and subprotocol; the result is a
// ConnectInfo. An Acceptor decides over that and returns a Receiver. Only then
// does the transport look at what is its own, such as the headers of a WebSocket
// upgrade, and answers. Clients see this order, so all transports keep it.
package transport

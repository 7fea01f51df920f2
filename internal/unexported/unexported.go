// Package unexported lets package seam call functions that package transport does not export: the
// checks of a request, which only an endpoint makes.
package unexported

// Transport is a value whose methods call unexported functions of package transport, which sets it
// when it is initialized. Package seam says which methods it needs.
var Transport any

// A Manner says how the clients of a transport ask for a connection.
type Manner struct {
	Transport string // the name of the transport
	// HeaderToken says that the auth token may be in the header X-Phoenix-AuthToken.
	HeaderToken bool
	// Offers says that subprotocols, and the auth token among them, may be in
	// Sec-WebSocket-Protocol.
	Offers bool
	// SessionToken says that the parameter "token" may also be the token of a session.
	SessionToken bool
}

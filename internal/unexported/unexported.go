// Package unexported lets package seam call what package transport does not export: the checks of
// a request, which are the endpoint's to make and no program's.
package unexported

// Transport is a value of package transport whose methods call its unexported functions. Package
// seam says which it needs. It is set when package transport is initialized.
var Transport any

// A Manner is how the clients of a transport ask for a connection.
type Manner struct {
	Transport string // its name
	// HeaderToken: the auth token may be in the header X-Phoenix-AuthToken.
	HeaderToken bool
	// Offers: the subprotocols, and the auth token among them, may be in Sec-WebSocket-Protocol.
	Offers bool
	// SessionToken: the parameter "token" may also be the token of a session.
	SessionToken bool
}

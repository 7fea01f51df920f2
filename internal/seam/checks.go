package seam

import (
	"net/http"

	"github.com/bennu-go/bennu/internal/unexported"
	"github.com/bennu-go/bennu/transport"
)

// A Manner says how the clients of a transport ask for a connection.
type Manner = unexported.Manner

var inTransport = unexported.Transport.(interface {
	Check(*transport.Checks, *http.Request, map[string]string, *Manner) (*transport.ConnectInfo, error)
	Validate(*transport.Checks) error
	NewConnectInfo(r *http.Request, transport string, params transport.Params) *transport.ConnectInfo
	ParseQuery(raw string) (transport.Params, error)
	TokenElsewhere(*transport.ConnectInfo) bool
})

// Check makes the checks that come before Connect, in the order that clients can observe: size,
// parameters, origin, token, subprotocol. vars are the variables of the mount's path; they replace
// parameters of the same name. Check does not keep them.
//
// The error is always a *transport.StatusError: 414 and 431 for size, 400 for parameters, 403 for
// the rest. Check does not look at the method, nor at the other headers of an upgrade.
func Check(c *transport.Checks, r *http.Request, vars map[string]string, m *Manner) (*transport.ConnectInfo, error) {
	return inTransport.Check(c, r, vars, m)
}

// Validate returns an error for checks that cannot work, as a sentence that says what to do.
func Validate(c *transport.Checks) error { return inTransport.Validate(c) }

// NewConnectInfo returns a description of r, which must stay valid as long as the result is used.
// It makes no checks and takes no token.
func NewConnectInfo(r *http.Request, name string, params transport.Params) *transport.ConnectInfo {
	return inTransport.NewConnectInfo(r, name, params)
}

// ParseQuery decodes a raw query as Check does.
func ParseQuery(raw string) (transport.Params, error) { return inTransport.ParseQuery(raw) }

// TokenElsewhere notes that the client has sent an auth token in a place where the mount does not
// look. It does so, and reports true, only if the info has neither a token nor an error about one.
func TokenElsewhere(i *transport.ConnectInfo) bool { return inTransport.TokenElsewhere(i) }

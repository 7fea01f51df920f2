package transport

import (
	"net/http"

	"github.com/bennu-go/bennu/internal/unexported"
)

func init() { unexported.Transport = forSeam{} }

// forSeam has the functions of this package that package seam may call although they are not
// exported.
type forSeam struct{}

func (forSeam) Check(c *Checks, r *http.Request, vars map[string]string, m *unexported.Manner) (*ConnectInfo, error) {
	return c.run(r, vars, m)
}

func (forSeam) Validate(c *Checks) error { return c.validate() }

func (forSeam) NewConnectInfo(r *http.Request, transport string, params Params) *ConnectInfo {
	return newConnectInfo(r, &unexported.Manner{Transport: transport}, params)
}

func (forSeam) ParseQuery(raw string) (Params, error) { return parseQuery(raw) }

func (forSeam) TokenElsewhere(i *ConnectInfo) bool { return i.tokenElsewhere() }

package notice

import (
	"context"
	"net/http"
)

type addressKey struct{}

// WithAddress returns a copy of a request with the address that counts for its client.
func WithAddress(r *http.Request, address string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), addressKey{}, address))
}

// Counted returns the address of WithAddress, or "".
func Counted(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}

// Address returns the address that counts for a request's client: that of WithAddress, or the other
// end of the connection.
func Address(r *http.Request) string {
	if address := Counted(r.Context()); address != "" {
		return address
	}
	return r.RemoteAddr
}

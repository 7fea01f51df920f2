package notice

import (
	"context"
	"net/http"
)

type addressKey struct{}

// WithAddress gives a request the address that counts for its client.
func WithAddress(r *http.Request, address string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), addressKey{}, address))
}

// Counted is the address of WithAddress, or "".
func Counted(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}

// Address is the address that counts for a request's client, or else the other end of its
// connection.
func Address(r *http.Request) string {
	if address := Counted(r.Context()); address != "" {
		return address
	}
	return r.RemoteAddr
}

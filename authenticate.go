package bennu

import (
	"context"
	"time"
)

// AssignedIdentity is the key under which Authenticate keeps who connected.
const AssignedIdentity = "identity"

// Authenticate makes a Connect that lets in who has a valid token, taken from where
// phoenix.js puts its authToken option: the mount must have AuthToken on. The
// verify function says who that is, kept under AssignedIdentity, and until when; the
// zero time means without end. Any error of its refuses the connection with
// ErrRefused, unless the context has ended, and is not logged: it may quote the token.
func Authenticate[T any](verify func(ctx context.Context, token string) (who T, expires time.Time, err error)) func(context.Context, *Socket, *ConnectInfo) error {
	return func(ctx context.Context, s *Socket, info *ConnectInfo) error {
		if info.AuthToken == nil {
			return ErrRefused
		}
		who, expires, err := verify(ctx, *info.AuthToken)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err() // nobody knows whether the token is good
		default:
			return ErrRefused
		}
		s.Assign(AssignedIdentity, who)
		s.ExpireAt(expires)
		return nil
	}
}

// Identity is what Authenticate's verify function returned for this connection.
// It reports false when there is none of that type.
func Identity[T any](s *Socket) (who T, ok bool) {
	who, ok = s.Assigned(AssignedIdentity).(T)
	return who, ok
}

package bennu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
)

// AssignedIdentity is the key under which Authenticate keeps who connected.
const AssignedIdentity = "identity"

// errToken is what Authenticate says of a token that verify does not accept. The error of
// verify may quote the token.
var errToken = fmt.Errorf("%w: the auth token is not good", ErrRefused)

// Authenticate makes a Connect that lets in clients that send a good token. The mount says
// where they put it: Checks.AuthToken takes the authToken option of phoenix.js,
// Checks.TokenParam a parameter of the URL; one of them must be set.
//
// The function verify says whose token it is, for Identity, and until when it is good, for
// Socket.ExpireAt; the zero time means without end. When it returns an error, the connection is
// refused with ErrRefused, or with the error of ctx if that has ended. The text of the
// error is not logged, since it may quote the token; what package token finds wrong is.
//
// verify is not called when the client sends no token, an empty one or several: the error is
// then ErrRefused, and also what ConnectInfo.AuthTokenErr returns.
//
// In a Connect of one's own, call what Authenticate returned first, and go on if it
// returned nil.
func Authenticate[T any](verify func(ctx context.Context, token string) (who T, expires time.Time, err error)) func(context.Context, *Socket, *ConnectInfo) error {
	if verify == nil {
		panic(fmt.Sprintf("bennu: %s: Authenticate needs a function", caller()))
	}
	connect := func(ctx context.Context, s *Socket, info *ConnectInfo) error {
		if err := info.AuthTokenErr(); err != nil {
			unauthenticated(ctx, noToken(s), append(tokenFix(err), slog.String("detail", err.Error()))...)
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		who, expires, err := verify(ctx, *info.AuthToken)
		switch {
		case withoutNil(err) == nil:
		case ctx.Err() != nil:
			return ctx.Err() // nobody knows whether the token is good
		default:
			unauthenticated(ctx, notice.AuthTokenRefused, tokenFault(err)...)
			return errToken
		}
		s.Assign(AssignedIdentity, who)
		s.ExpireAt(expires)
		return nil
	}
	authenticates.Store(reflect.ValueOf(connect).Pointer(), true)
	return connect
}

// authenticates has the code of the functions that Authenticate made, so that a mount without
// AuthToken can be told at start.
var authenticates sync.Map

func isAuthenticate(connect func(context.Context, *Socket, *ConnectInfo) error) bool {
	if connect == nil {
		return false
	}
	_, ok := authenticates.Load(reflect.ValueOf(connect).Pointer())
	return ok
}

// unauthenticated says why Authenticate refuses a connection.
func unauthenticated(ctx context.Context, k notice.Kind, attrs ...slog.Attr) {
	if call, ok := ctx.Value(connectingKey{}).(*connecting); ok {
		call.said = true
		call.s.at("", "").say(k, attrs...)
	}
}

func noToken(s *Socket) notice.Kind {
	if s != nil && s.handler != nil && !s.handler.authToken {
		return notice.AuthTokenOff
	}
	return notice.NoAuthToken
}

// tokenFix is what to change about a token that is there and not taken.
func tokenFix(err error) []slog.Attr {
	fix := ""
	switch {
	case errors.Is(err, transport.ErrAuthTokenTwice):
		fix = "let the client, or the proxy that adds to its request, send one auth token; these differ"
	case errors.Is(err, transport.ErrAuthTokenEmpty):
		fix = "let the client wait with connecting until it has its token, and see that the page fills it in"
	case errors.Is(err, transport.ErrAuthTokenElsewhere):
		fix = "let the client send the token in its authToken option and set Checks.AuthToken, or name the parameter that it sends in Checks.TokenParam"
	default:
		return nil
	}
	return []slog.Attr{slog.String("fix", fix)}
}

// tokenFault is what package token finds wrong with a token. The text of any other error may
// quote the token.
func tokenFault(err error) []slog.Attr {
	fault, ok := errors.AsType[interface {
		error
		TokenFault() string
	}](err)
	if !ok {
		return nil
	}
	return []slog.Attr{slog.String("error", fault.TokenFault())}
}

// Identity is who connected, as the verify function of Authenticate has said. It
// reports false when that was nobody, or of another type than T.
func Identity[T any](s *Socket) (who T, ok bool) {
	if s == nil {
		return who, false
	}
	who, ok = s.Assigned(AssignedIdentity).(T)
	return who, ok
}

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
	"github.com/bennu-go/bennu/internal/refused"
)

// assignedIdentity is the key under which Authenticate keeps the identity of the client.
const assignedIdentity = "identity"

// errToken is the error of Authenticate for a token that verify does not accept. The error of
// verify itself may quote the token.
var errToken = fmt.Errorf("%w: the auth token is not valid", ErrRefused)

// Authenticate returns a Connect that accepts only clients with a valid token. The mount says where
// clients put the token, and one of two options must be set: Checks.AuthToken takes it from the
// authToken option of phoenix.js, and Checks.TokenParam from a parameter of the URL.
//
// The function verify returns the identity of the token's user, for Identity, and the time until
// which the token is valid, for Socket.ExpireAt; the zero time means without end. If verify returns
// an error, the connection is refused with ErrRefused, or with the error of ctx if that has ended.
// The text of the error is not logged, since it may quote the token, except that of errors of
// package token.
//
// verify is not called when the client sends no token, an empty one, or several that differ. The
// error is then ErrRefused, and also the one that ConnectInfo.AuthTokenErr returns.
//
// To check more than the token, write a Connect that first calls the function that Authenticate
// returned, and continues if it returned nil.
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
			return ctx.Err() // verify could not decide whether the token is valid
		default:
			unauthenticated(ctx, notice.AuthTokenRefused, tokenFault(err)...)
			return errToken
		}
		s.Assign(assignedIdentity, who)
		s.ExpireAt(expires)
		return nil
	}
	authenticates.Store(reflect.ValueOf(connect).Pointer(), true)
	return connect
}

// authenticates has the code pointers of the functions that Authenticate returned. A mount whose
// handler has one, but whose Checks take no token, is logged when it is mounted.
var authenticates sync.Map

// isAuthenticate reports whether Authenticate returned the function.
func isAuthenticate(connect func(context.Context, *Socket, *ConnectInfo) error) bool {
	if connect == nil {
		return false
	}
	_, ok := authenticates.Load(reflect.ValueOf(connect).Pointer())
	return ok
}

// unauthenticated logs why Authenticate refuses a connection, so that sayRefused does not log it
// again.
func unauthenticated(ctx context.Context, k notice.Kind, attrs ...slog.Attr) {
	if call, ok := ctx.Value(connectingKey{}).(*connecting); ok {
		call.said = true
		call.s.at("", "").say(k, attrs...)
	}
}

// noToken returns the notice for a request without a token.
func noToken(s *Socket) notice.Kind {
	if s != nil && s.handler != nil && !s.handler.authToken {
		return notice.AuthTokenOff
	}
	return notice.NoAuthToken
}

// tokenFix returns the advice for a token that was sent but could not be taken.
func tokenFix(err error) []slog.Attr {
	fix := ""
	switch {
	case errors.Is(err, refused.ErrTokenTwice):
		fix = "let the client, or the proxy that adds to its request, send one auth token; these differ"
	case errors.Is(err, refused.ErrTokenEmpty):
		fix = "let the client wait with connecting until it has its token, and see that the page fills it in"
	case errors.Is(err, refused.ErrTokenElsewhere):
		fix = "let the client send the token in its authToken option and set Checks.AuthToken, or name the parameter that it sends in Checks.TokenParam"
	default:
		return nil
	}
	return []slog.Attr{slog.String("fix", fix)}
}

// tokenFault returns the log attribute of an error of package token, whose text quotes no token. It
// returns nil for any other error.
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

// Identity returns the identity that the verify function of Authenticate returned for the
// connection. It reports false if there is none, or if its type is not T. Authenticate assigns it to
// the socket as "identity", and so may a Connect that does without Authenticate.
func Identity[T any](s *Socket) (who T, ok bool) {
	if s == nil {
		return who, false
	}
	who, ok = s.Assigned(assignedIdentity).(T)
	return who, ok
}

// Package refused has the reasons for which a mount lets nobody in. Programs see a few of them, as
// errors of packages bennu and transport; the others are told apart by this module alone.
package refused

import "errors"

// ErrRefused is bennu.ErrRefused.
var ErrRefused = errors.New("bennu: connection refused")

// A Check is why a request does not pass the checks of its mount.
type Check string

// Checks that have a line of their own in the log.
const (
	ErrURLTooLong     Check = "transport: URL longer than 8 KiB"
	ErrHeaderTooLarge Check = "transport: more than 64 header lines or 16 KiB of header"
	ErrPathNotUTF8    Check = "transport: path variable is not UTF-8"
	ErrSubprotocol    Check = "transport: no offered subprotocol is configured"
)

func (c Check) Error() string { return string(c) }

// ErrAuthToken is that of package transport.
var ErrAuthToken = errors.New("transport: the auth token cannot be taken")

// A Token is a fault of the auth token of a request. It is an ErrAuthToken.
type Token string

// ErrTokenForm, ErrTokenParam and, where a parameter takes part, ErrTokenTwice refuse a request. The
// others are for the application, which decides.
const (
	ErrTokenForm      Token = "transport: auth token is not base64"
	ErrTokenParam     Token = "transport: the parameter with the auth token is not a single text"
	ErrTokenTwice     Token = "transport: more than one auth token"
	ErrTokenEmpty     Token = "transport: the auth token is empty"
	ErrTokenElsewhere Token = "transport: no auth token where the mount looks for it, but the client has sent one elsewhere: see Checks.AuthToken and Checks.TokenParam"
	ErrTokenOff       Token = "transport: the mount takes no auth tokens, since Checks.AuthToken is off"
)

func (t Token) Error() string { return string(t) }

// Is makes each of them an ErrAuthToken.
func (Token) Is(target error) bool { return target == ErrAuthToken }

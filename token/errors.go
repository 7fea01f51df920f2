package token

import "fmt"

// The three reasons for which a token is refused, as Phoenix has them. Compare
// with [errors.Is]: what Verify and Decrypt return may say more. No error quotes
// a token, its data or a secret.
var (
	// ErrExpired means a genuine token that is too old.
	ErrExpired error = fault("expired")
	// ErrInvalid means a token that was altered, was made with another secret
	// or salt, is signed in the future, or holds data this package or the
	// program does not read.
	ErrInvalid error = fault("invalid")
	// ErrMissing means that there is no token: the string is empty.
	ErrMissing error = fault("missing")
)

// fault is one of these errors. Its method lets bennu.Authenticate log it.
type fault string

func (f fault) Error() string { return "bennu: token " + string(f) }

// TokenFault says what is wrong in one word.
func (f fault) TokenFault() string { return string(f) }

// unusable is the ErrInvalid of a genuine token whose data the program does not take.
type unusable struct{}

func (unusable) Error() string { return ErrInvalid.Error() }

// Is makes it an ErrInvalid.
func (unusable) Is(target error) bool { return target == ErrInvalid }

// TokenFault says what is wrong in a few words.
func (unusable) TokenFault() string { return "genuine, with data that the program does not take" }

// errForged is what every token gets that the secrets do not vouch for. It says
// nothing about where the check failed: only a forger could use that.
var errForged = ErrInvalid

// invalid is for tokens that are genuine and unusable all the same. Their maker
// holds the secret, so the reason may be told.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", unusable{}, fmt.Errorf(format, args...))
}

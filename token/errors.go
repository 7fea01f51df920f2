package token

import "fmt"

// The three reasons for which a token is refused, as in Phoenix. Compare with [errors.Is]: the
// errors of Verify and Decrypt may say more. No error quotes a token, its data or a secret.
var (
	// ErrExpired means that the token is too old.
	ErrExpired error = fault("expired")
	// ErrInvalid means that the token was altered, was made with another secret or salt, was
	// signed in the future, or has data that this package or the program does not read.
	ErrInvalid error = fault("invalid")
	// ErrMissing means that there is no token: the string is empty.
	ErrMissing error = fault("missing")
)

// fault is one of these errors.
type fault string

func (f fault) Error() string { return "token: " + string(f) }

// TokenFault returns a text for bennu.Authenticate to log, which logs no other text of an error.
func (f fault) TokenFault() string { return string(f) }

// unusable is the ErrInvalid of a token with a good signature and data that is not accepted.
type unusable struct{}

func (unusable) Error() string { return ErrInvalid.Error() }

// Is makes it an ErrInvalid for errors.Is.
func (unusable) Is(target error) bool { return target == ErrInvalid }

// TokenFault is that of fault.
func (unusable) TokenFault() string { return "genuine, with data that the program does not take" }

// errForged is the error for every token with a wrong signature. It does not say where the check
// failed, which would help only a forger.
var errForged = ErrInvalid

// invalid returns an error for a token with a good signature. Whoever made it has the secret, so
// it may be told the reason.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", unusable{}, fmt.Errorf(format, args...))
}

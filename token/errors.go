package token

import "fmt"

// The three reasons for which a token is refused, as in Phoenix. Compare with [errors.Is]: the
// errors of Verify and Decrypt may have more text. No error quotes a token, its data or a secret.
var (
	// ErrExpired means that the token is older than its maximum age.
	ErrExpired error = fault("expired")
	// ErrInvalid means that the token was altered, was made with another secret or salt, was
	// signed in the future, or has data that this package or [As] does not accept.
	ErrInvalid error = fault("invalid")
	// ErrMissing means that the token is the empty string.
	ErrMissing error = fault("missing")
)

// fault is the type of ErrExpired, ErrInvalid and ErrMissing.
type fault string

func (f fault) Error() string { return "token: " + string(f) }

// TokenFault returns the text that bennu.Authenticate logs. It logs no other text of an error, since
// one of the application may hold a secret.
func (f fault) TokenFault() string { return string(f) }

// unusable is the ErrInvalid of a token with a good signature and data that is not accepted.
type unusable struct{}

func (unusable) Error() string { return ErrInvalid.Error() }

// Is makes it an ErrInvalid for errors.Is.
func (unusable) Is(target error) bool { return target == ErrInvalid }

// TokenFault is that of fault.
func (unusable) TokenFault() string { return "genuine, with data that the program does not take" }

// errForged is the error for every token with a wrong signature. It does not say which check failed:
// that would help only a forger.
var errForged = ErrInvalid

// invalid returns an ErrInvalid with a reason, for a token with a good signature. The reason helps no
// forger, since the maker of the token has the secret.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", unusable{}, fmt.Errorf(format, args...))
}

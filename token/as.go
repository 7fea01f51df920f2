package token

import "reflect"

// As returns the data of a token as a T. It takes the results of Verify and Decrypt, and returns
// their error if there is one:
//
//	id, err := token.As[int64](keys.Verify("user auth", tok))
//
// T is a type in which values are read, see the package comment: [Map] for a map, int64 for an
// integer. If the data has another type, the error is an [ErrInvalid] that names both types and
// does not quote the data.
func As[T any](c *Claims, err error) (T, error) {
	var zero T
	switch {
	case err != nil:
		return zero, err
	case c == nil:
		return zero, ErrMissing
	}
	v, ok := c.Data.(T)
	if !ok && (c.Data != nil || reflect.TypeFor[T]() != reflect.TypeFor[any]()) { // nil is an any, too
		return zero, invalid("the data is of type %T, not %v", c.Data, reflect.TypeFor[T]())
	}
	return v, nil
}

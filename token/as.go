package token

import "reflect"

// As returns the data of a token as a T. It takes the results of Verify or Decrypt, and returns
// their error if there is one:
//
//	id, err := token.As[int64](keys.Verify("user auth", tok))
//
// T is one of the types in the last column of the table in the package documentation, such as int64
// for an integer, or any. As does not convert: if the data has another type, the error is an
// [ErrInvalid] that names both types. If c and err are nil, it is [ErrMissing].
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

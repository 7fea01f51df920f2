package token

import (
	"fmt"
	"math/big"
	"reflect"
	"strconv"
)

// As brings the data of a token into a Go type. It takes the results of Verify
// and Decrypt as they are and passes their error on:
//
//	id, err := token.As[int64](keys.Verify("user auth", tok))
//
// T may be a string (from a string or an atom), []byte, a boolean, an integer or
// float it fits in, an [Atom], a [Tuple], a *[big.Int], a slice, a map, a struct,
// a pointer to one of these, or any. Fields of a struct are found by their tag, under a string
// or an atom key alike: `token:"name"`, `token:"-"` for none, and the field's own
// name without a tag. Fields that the data lacks stay zero; keys without a field
// are ignored.
//
// Data of another shape is an [ErrInvalid] that says where. No error quotes it.
func As[T any](c *Claims, err error) (T, error) {
	var v T
	if err != nil {
		return v, err
	}
	if c == nil {
		return v, ErrMissing
	}
	if err := assign(reflect.ValueOf(&v).Elem(), c.Data); err != nil {
		var zero T
		return zero, invalid("data%w", err)
	}
	return v, nil
}

// shapeError says that data does not fit. The path is built on the way back, as
// most data fits.
type shapeError struct {
	path, why string
}

func (e *shapeError) Error() string { return e.path + " " + e.why }

// under puts a step in front of the path.
func under(step string, err *shapeError) *shapeError {
	return &shapeError{step + err.path, err.why}
}

// mismatch names types only: data can be secret.
func mismatch(dst reflect.Value, src any) *shapeError {
	return &shapeError{why: fmt.Sprintf("is a %T and does not fit into a %s", src, dst.Type())}
}

// assign puts src, a decoded term, into dst.
func assign(dst reflect.Value, src any) *shapeError {
	t := dst.Type()
	if t.Kind() == reflect.Interface && t.NumMethod() == 0 {
		if src != nil {
			dst.Set(reflect.ValueOf(src))
		}
		return nil
	}
	if src == nil {
		return assignNil(dst)
	}
	if reflect.TypeOf(src) == t {
		dst.Set(reflect.ValueOf(src))
		return nil
	}
	if t == bigType {
		if i, ok := src.(int64); ok {
			dst.Set(reflect.ValueOf(big.NewInt(i)))
			return nil
		}
		return mismatch(dst, src)
	}
	if t.Kind() == reflect.Pointer {
		p := reflect.New(t.Elem())
		if err := assign(p.Elem(), src); err != nil {
			return err
		}
		dst.Set(p)
		return nil
	}
	switch src := src.(type) {
	case bool:
		if t.Kind() == reflect.Bool {
			dst.SetBool(src)
			return nil
		}
	case string:
		return assignString(dst, src)
	case Atom:
		if t.Kind() == reflect.String {
			dst.SetString(string(src))
			return nil
		}
	case int64:
		return assignInt(dst, src)
	case *big.Int:
		if dst.CanUint() && src.IsUint64() && !dst.OverflowUint(src.Uint64()) {
			dst.SetUint(src.Uint64())
			return nil
		}
	case float64:
		if dst.CanFloat() && !dst.OverflowFloat(src) {
			dst.SetFloat(src)
			return nil
		}
	case []any:
		return assignList(dst, src)
	case Tuple:
		return assignList(dst, src)
	case Map:
		return assignMap(dst, src)
	}
	return mismatch(dst, src)
}

func assignNil(dst reflect.Value) *shapeError {
	switch dst.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		dst.SetZero()
		return nil
	}
	return mismatch(dst, nil)
}

// assignString does not make an Atom of a string: whoever asks for an Atom wants
// to know that it is one.
func assignString(dst reflect.Value, src string) *shapeError {
	t := dst.Type()
	switch {
	case t.Kind() == reflect.String && t != atomType:
		dst.SetString(src)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		dst.SetBytes([]byte(src))
	default:
		return mismatch(dst, src)
	}
	return nil
}

func assignInt(dst reflect.Value, src int64) *shapeError {
	switch {
	case dst.CanInt() && !dst.OverflowInt(src):
		dst.SetInt(src)
	case dst.CanUint() && src >= 0 && !dst.OverflowUint(uint64(src)):
		dst.SetUint(uint64(src))
	case dst.Kind() == reflect.Float64 && int64(float64(src)) == src:
		dst.SetFloat(float64(src))
	default:
		return mismatch(dst, src)
	}
	return nil
}

func assignList(dst reflect.Value, src []any) *shapeError {
	t := dst.Type()
	// As with an Atom, who asks for a Tuple wants to know that it is one.
	if t.Kind() != reflect.Slice || t.Elem().Kind() == reflect.Uint8 || t == tupleType {
		return mismatch(dst, src)
	}
	l := reflect.MakeSlice(t, len(src), len(src))
	for i, v := range src {
		if err := assign(l.Index(i), v); err != nil {
			return under("["+strconv.Itoa(i)+"]", err)
		}
	}
	dst.Set(l)
	return nil
}

func assignMap(dst reflect.Value, src Map) *shapeError {
	t := dst.Type()
	switch t.Kind() {
	case reflect.Struct:
		fields, err := fieldsOf(t)
		if err != nil {
			return &shapeError{why: err.Error()}
		}
		for _, f := range fields {
			v, ok := src.Get(f.name)
			if !ok {
				continue
			}
			if err := assign(dst.Field(f.index), v); err != nil {
				return under("."+t.Field(f.index).Name, err)
			}
		}
		return nil
	case reflect.Map:
		m := reflect.MakeMapWithSize(t, len(src))
		for k, v := range src {
			key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			if err := assign(key, k); err != nil {
				return under("[key]", err)
			}
			// An atom and a string may come together here.
			if m.MapIndex(key).IsValid() {
				return &shapeError{why: errTwice.Error()}
			}
			if err := assign(value, v); err != nil {
				return under("[...]", err)
			}
			m.SetMapIndex(key, value)
		}
		dst.Set(m)
		return nil
	}
	return mismatch(dst, src)
}

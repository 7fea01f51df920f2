// Package nils finds nil pointers, maps, slices and functions that an interface holds.
package nils

import "reflect"

// Is reports whether v is nil, or holds a nil of its own type.
func Is(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.Interface, reflect.UnsafePointer:
		return r.IsNil()
	}
	return false
}

// JSON returns the JSON text for a nil payload, where encoding/json writes null: [] for a slice, {}
// for everything else. It returns "" if neither v nor the value it points to is nil.
func JSON(v any) string {
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer || r.Kind() == reflect.Interface {
		if r.IsNil() {
			return "{}"
		}
		r = r.Elem()
	}
	switch r.Kind() {
	case reflect.Invalid:
		return "{}"
	case reflect.Map:
		if r.IsNil() {
			return "{}"
		}
	case reflect.Slice:
		if r.IsNil() && r.Type().Elem().Kind() == reflect.Uint8 {
			return "{}" // bytes, such as a json.RawMessage, are not a list
		}
		if r.IsNil() {
			return "[]"
		}
	}
	return ""
}

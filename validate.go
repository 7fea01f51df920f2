package bennu

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"

	"github.com/bennu-go/bennu/internal/nils"
)

// Validator is an In, or a part of one, that checks itself after it was decoded. Parts are the
// fields that encoding/json decodes, and the elements of slices, arrays and maps; each part is
// checked before the value that contains it. A nil pointer is not checked. A struct that the client
// left out is checked, so use a pointer for one that may be absent. Keys of maps and the values in
// interfaces are not checked.
//
// The Validate of an embedded type is called once, although the struct around it has the promoted
// method, too. If the struct has a Validate of its own, both are called, unless the embedded type
// is unexported.
//
// When Validate fails, the handler is not called. An *Error is replied as it is. Any other error is
// replied as "invalid payload", and its text is logged at debug level only. The reply for a part
// has its path as field: the names of fields, without the indices of elements.
type Validator interface{ Validate() error }

// validation is the plan for checking values of one type. It is made once for each registered
// handler, and contains only the parts that lead to a Validate.
type validation struct {
	self bool // the value's own Validate is called
	// from is the index of the embedded field whose Validate is promoted to the value, or -1. If
	// that field is nil, Validate is not called.
	from   int
	elem   *validation // of the elements of a pointer, slice, array or map
	fields []validatedField
}

// validatedField is one field of a struct.
type validatedField struct {
	index int
	name  string // in JSON; an embedded struct has none
	inner bool   // unexported: only its parts are checked
	*validation
}

// validationOf returns the plan for a type, or nil if no part of it is a Validator. The error names
// a Validate that would never be called.
func validationOf(t reflect.Type) (*validation, error) {
	b := validations{known: map[reflect.Type]*validation{}, whole: deref(t)}
	v := b.of(t)
	if b.err != nil {
		return nil, b.err
	}
	b.prune()
	if v.empty() {
		return nil, nil
	}
	return v, nil
}

// empty reports whether the plan calls no Validate.
func (v *validation) empty() bool { return !v.self && v.elem == nil && len(v.fields) == 0 }

// validations builds the plans of a type and its parts. known ends the recursion of a type that
// contains itself.
type validations struct {
	known map[reflect.Type]*validation
	all   []*validation // all plans, also those of embedded structs with hidden fields
	whole reflect.Type  // the type itself, not a part of it
	err   error
}

// of returns the plan of a type, and makes it first if there is none.
func (b *validations) of(t reflect.Type) *validation {
	if v, ok := b.known[t]; ok {
		return v
	}
	v := b.add(t)
	b.known[t] = v
	// A part whose Validate returns another error type may be meant for another library.
	if err := wrongValidate(t, deref(t) == b.whole); err != nil && b.err == nil {
		b.err = err
	}
	switch t.Kind() {
	case reflect.Pointer:
		v.self = false // what it points to has the method
		v.elem = b.of(t.Elem())
	case reflect.Slice, reflect.Array, reflect.Map:
		v.elem = b.of(t.Elem())
	case reflect.Struct:
		b.addFields(v, t, nil)
	}
	return v
}

// add makes a plan of a type, without its parts.
func (b *validations) add(t reflect.Type) *validation {
	v := &validation{self: validates(t), from: -1}
	if t.Kind() == reflect.Struct {
		v.from = promotedFrom(t)
		v.self = v.self && !calledBelow(t)
	}
	b.all = append(b.all, v)
	return v
}

// addFields adds the fields of a struct that encoding/json decodes, except those whose names hidden
// returns true for: a struct around this one has a field of that name.
func (b *validations) addFields(v *validation, t reflect.Type, hidden func(name string) bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, inlined, ok := jsonField(f)
		if !ok || !inlined && hidden != nil && hidden(name) {
			continue
		}
		part := validatedField{index: i, name: name, inner: !f.IsExported()}
		if inside := deref(f.Type); inlined {
			below := func(name string) bool { return hidden != nil && hidden(name) || hides(t, i, name) }
			if anyName(inside, below) {
				part.validation = b.add(inside)
				// A type that is inlined into itself ends here.
				if anyName(inside, func(name string) bool { return !below(name) }) {
					b.addFields(part.validation, inside, below)
				}
				if inside != f.Type {
					part.validation = &validation{from: -1, elem: part.validation}
					b.all = append(b.all, part.validation)
				}
			}
		}
		if part.validation == nil {
			part.validation = b.of(f.Type)
		}
		v.fields = append(v.fields, part)
	}
}

// prune removes all parts that do not lead to a Validate.
func (b *validations) prune() {
	leads := map[*validation]bool{}
	for changed := true; changed; {
		changed = false
		for _, v := range b.all {
			if !leads[v] && (v.self || v.elem != nil && leads[v.elem] || slices.ContainsFunc(v.fields, func(f validatedField) bool { return leads[f.validation] })) {
				leads[v], changed = true, true
			}
		}
	}
	for _, v := range b.all {
		if v.elem != nil && !leads[v.elem] {
			v.elem = nil
		}
		v.fields = slices.DeleteFunc(v.fields, func(f validatedField) bool { return !leads[f.validation] })
	}
}

// validates reports whether addressable values of a type have a Validate.
func validates(t reflect.Type) bool {
	wanted := reflect.TypeFor[Validator]()
	return t.Implements(wanted) || t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(wanted)
}

// wrongValidate returns an error for a Validate whose result is not of type error, but of a type
// that implements it. For parts only *Error counts.
func wrongValidate(t reflect.Type, whole bool) error {
	if t.Kind() != reflect.Interface && t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	m, ok := t.MethodByName("Validate")
	if !ok || t.Kind() == reflect.Interface || m.Type.NumIn() != 1 || m.Type.NumOut() != 1 {
		return nil
	}
	isError := reflect.TypeFor[error]()
	if out := m.Type.Out(0); out != isError && out.Implements(isError) && (whole || out == reflect.TypeFor[*Error]()) {
		return fmt.Errorf("the method Validate of %s is never called: it returns %s; make it return error", t, out)
	}
	return nil
}

// hasOwn reports whether a type has a Validate that is declared for it, not promoted from an
// embedded field. The compiler generates promoted methods, which have no file.
func hasOwn(t reflect.Type) bool {
	if !validates(t) || t.Kind() == reflect.Interface {
		return validates(t)
	}
	m, ok := t.MethodByName("Validate")
	if !ok {
		m, _ = reflect.PointerTo(t).MethodByName("Validate")
	}
	f := runtime.FuncForPC(m.Func.Pointer())
	file, _ := f.FileLine(f.Entry())
	return file != "<autogenerated>"
}

// promotedFrom returns the index of the embedded field whose Validate is promoted to a struct, or
// -1 if there is none or the struct declares its own. Of several it is the least deep, as in Go.
func promotedFrom(t reflect.Type) int {
	if !validates(t) || hasOwn(t) {
		return -1
	}
	type embedded struct {
		in   reflect.Type
		from int
	}
	level := []embedded{{t, -1}}
	seen := map[reflect.Type]bool{t: true}
	for len(level) > 0 {
		var next []embedded
		for _, e := range level {
			for i := range e.in.NumField() {
				f := e.in.Field(i)
				if !f.Anonymous || !validates(f.Type) && (f.Type.Kind() != reflect.Pointer || !validates(f.Type.Elem())) {
					continue
				}
				inside, from := f.Type, e.from
				if inside.Kind() == reflect.Pointer {
					inside = inside.Elem()
				}
				if from < 0 {
					from = i
				}
				if hasOwn(inside) {
					return from
				}
				if inside.Kind() == reflect.Struct && !seen[inside] {
					seen[inside] = true
					next = append(next, embedded{inside, from})
				}
			}
		}
		level = next
	}
	return -1
}

// calledBelow reports whether the Validate that is promoted to a struct is already called when its
// embedded field is checked. For an unexported field it is not, but those of the fields in it are.
func calledBelow(t reflect.Type) bool {
	from := promotedFrom(t)
	if from < 0 {
		return false
	}
	f := t.Field(from)
	if f.IsExported() {
		return true
	}
	inside := f.Type
	if inside.Kind() == reflect.Pointer {
		inside = inside.Elem()
	}
	return inside.Kind() == reflect.Struct && calledBelow(inside)
}

// maxValidateDepth bounds the check of a value that its own UnmarshalJSON has made cyclic. JSON of
// a client is less deep.
const maxValidateDepth = 1000

var errTooDeep = errors.New("the value is nested too deeply to be validated")

// check calls the Validates of an addressable value. path is that of the part that err is about.
func (v *validation) check(value reflect.Value) (path string, err error) {
	return v.checkPart(value, false, 0)
}

// checkPart is check for a part at some depth. With inner, the Validate of the part itself is not
// called.
func (v *validation) checkPart(value reflect.Value, inner bool, depth int) (path string, err error) {
	if depth > maxValidateDepth {
		return "", errTooDeep
	}
	switch value.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			return "", nil
		}
		return v.elem.checkPart(value.Elem(), inner, depth+1)
	case reflect.Slice, reflect.Array:
		for i := 0; v.elem != nil && i < value.Len(); i++ {
			if path, err = v.elem.checkPart(value.Index(i), false, depth+1); err != nil {
				return path, err
			}
		}
	case reflect.Map:
		if path, err = v.checkMap(value, depth); err != nil {
			return path, err
		}
	case reflect.Struct:
		for _, f := range v.fields {
			if path, err = f.checkPart(value.Field(f.index), f.inner, depth+1); err != nil {
				if f.name != "" && path != "" {
					path = "." + path
				}
				return f.name + path, err
			}
		}
	}
	if !v.self || inner || v.from >= 0 && nilField(value.Field(v.from)) {
		return "", nil
	}
	return "", withoutNil(validatorIn(value).Validate())
}

// checkMap checks copies of the elements, because elements of a map are not addressable, and puts
// them back, because a Validate may change its value.
func (v *validation) checkMap(value reflect.Value, depth int) (path string, err error) {
	if v.elem == nil {
		return "", nil
	}
	for entry := value.MapRange(); entry.Next(); {
		part := reflect.New(value.Type().Elem()).Elem()
		part.Set(entry.Value())
		if path, err = v.elem.checkPart(part, false, depth+1); err != nil {
			return path, err
		}
		value.SetMapIndex(entry.Key(), part)
	}
	return "", nil
}

// nilField reports whether a field is a nil pointer or interface.
func nilField(f reflect.Value) bool {
	return (f.Kind() == reflect.Pointer || f.Kind() == reflect.Interface) && f.IsNil()
}

// validatorIn returns a value as a Validator. For an interface that is nil, or holds nil, it
// returns one that checks nothing.
func validatorIn(value reflect.Value) Validator {
	if value.Kind() == reflect.Interface {
		if v, ok := value.Interface().(Validator); ok && !nils.Is(v) {
			return v
		}
		return valid{}
	}
	if v, ok := value.Addr().Interface().(Validator); ok {
		return v
	}
	return valid{}
}

// valid is a Validator that never fails.
type valid struct{}

func (valid) Validate() error { return nil }

package bennu

import (
	"reflect"
	"strings"
)

// jsonField returns how encoding/json decodes a field of a struct: under a name, or inlined if it
// is an embedded struct without a name. ok is false for a field that it does not decode.
func jsonField(f reflect.StructField) (name string, inlined, ok bool) {
	tag := f.Tag.Get("json")
	name, _, _ = strings.Cut(tag, ",")
	isStruct := f.Anonymous && deref(f.Type).Kind() == reflect.Struct
	switch {
	case tag == "-", !f.IsExported() && !isStruct:
		return "", false, false
	case name == "" && isStruct:
		return "", true, true
	case name == "":
		name = f.Name
	}
	return name, false, true
}

// deref returns the type that a pointer type points to, or t itself.
func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// jsonNames adds to names the names under which the fields of a struct are decoded, including those
// of inlined structs. depth is how deeply t itself is inlined, and seen the types around it.
func jsonNames(t reflect.Type, depth int, names map[string]jsonName, seen map[reflect.Type]bool) map[string]jsonName {
	if seen[t] {
		return names
	}
	seen[t] = true
	// Only types around t are seen: the same type may be inlined in two places.
	defer delete(seen, t)
	for i := range t.NumField() {
		f := t.Field(i)
		switch name, inlined, ok := jsonField(f); {
		case inlined:
			jsonNames(deref(f.Type), depth+1, names, seen)
		case ok:
			n := jsonName{depth, f.Tag.Get("json") != ""}
			if other, known := names[name]; !known || n.before(other) {
				names[name] = n
			}
		}
	}
	return names
}

// jsonName decides between fields of the same name, as encoding/json does.
type jsonName struct {
	depth  int  // how deeply the field is inlined
	tagged bool // the name is from a tag
}

// before reports whether the field is decoded and another one of the same name is not.
func (n jsonName) before(other jsonName) bool {
	return n.depth < other.depth || n.depth == other.depth && n.tagged && !other.tagged
}

// hides reports whether a field of this name in the inlined field i of t is not decoded, because of
// another field of the name in t.
func hides(t reflect.Type, i int, name string) bool {
	own, ok := jsonNames(deref(t.Field(i).Type), 1, map[string]jsonName{}, map[reflect.Type]bool{})[name]
	if !ok {
		return false
	}
	for j := range t.NumField() {
		other, inlined, ok := jsonField(t.Field(j))
		switch {
		case j == i || !ok:
		case !inlined && other == name:
			return true
		case inlined:
			rival, has := jsonNames(deref(t.Field(j).Type), 1, map[string]jsonName{}, map[reflect.Type]bool{})[name]
			if has && !own.before(rival) {
				return true
			}
		}
	}
	return false
}

// anyName reports whether f returns true for any of jsonNames of t.
func anyName(t reflect.Type, f func(name string) bool) bool {
	for name := range jsonNames(t, 0, map[string]jsonName{}, map[reflect.Type]bool{}) {
		if f(name) {
			return true
		}
	}
	return false
}

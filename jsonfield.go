package bennu

import (
	"reflect"
	"strings"
)

// jsonField is how encoding/json decodes a field of a struct: under a name, or inlined, when
// it is an embedded struct. It reports false for a field that it does not decode.
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

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// jsonNames are the names under which the fields of a struct are decoded, those of inlined
// structs included, with how deeply each is inlined and whether a tag names it.
func jsonNames(t reflect.Type, depth int, names map[string]jsonName, seen map[reflect.Type]bool) map[string]jsonName {
	if seen[t] {
		return names
	}
	seen[t] = true
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

type jsonName struct {
	depth  int
	tagged bool
}

// before reports whether a field is decoded in place of another of its name.
func (n jsonName) before(other jsonName) bool {
	return n.depth < other.depth || n.depth == other.depth && n.tagged && !other.tagged
}

// hides reports whether a field of this name within the inlined field i of t is not decoded,
// because of one elsewhere in t.
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

// anyName reports whether f holds for a name under which a field of a struct is decoded.
func anyName(t reflect.Type, f func(name string) bool) bool {
	for name := range jsonNames(t, 0, map[string]jsonName{}, map[reflect.Type]bool{}) {
		if f(name) {
			return true
		}
	}
	return false
}

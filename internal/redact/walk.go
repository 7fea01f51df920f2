package redact

import (
	"cmp"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of one attribute.
const (
	maxValues = 256
	maxDepth  = 8
)

// Texts in place of values beyond the bounds.
const (
	more    = "(more)"    // the key of how many entries were left out
	tooDeep = "(deeper)"  // for what is below maxDepth
	noRoom  = "(no room)" // for a text when none is left of the attribute's bytes
)

// walker turns values into plain ones (strings, numbers, booleans, map[string]any,
// []any) that any handler prints without calling methods of the program.
type walker struct {
	values int // how many more are kept
	text   int // how many more bytes of text are kept
}

func (w *walker) any(v any, depth int) any {
	if v == nil {
		return nil
	}
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Pointer && r.IsNil() {
		return nil // its methods need not know what to do with that
	}
	switch v := v.(type) {
	case slog.Value:
		return w.logged(v, depth)
	case slog.Attr:
		return w.logged(slog.GroupValue(v), depth)
	case slog.LogValuer:
		return w.logged(slog.AnyValue(v), depth)
	case *http.Cookie: // its name may be anything
		return w.string(v.Name) + "=" + Mask
	case http.Cookie:
		return w.string(v.Name) + "=" + Mask
	case *url.Userinfo:
		return Mask
	case url.URL:
		return w.string(v.String())
	case error:
		return w.string(method(v, v.Error))
	case fmt.Stringer:
		return w.string(method(v, v.String))
	case fmt.Formatter:
		return w.string(method(v, func() string { return fmt.Sprintf("%v", v) }))
	case map[string]any:
		return w.pairs(len(v), maps.All(v), depth)
	}
	return w.reflected(r, depth)
}

// logged is any for a value of slog, which may be a group.
func (w *walker) logged(v slog.Value, depth int) any {
	v = v.Resolve()
	if v.Kind() != slog.KindGroup {
		return w.any(v.Any(), depth)
	}
	return w.pairs(len(v.Group()), func(yield func(string, any) bool) {
		for _, a := range v.Group() {
			if !yield(a.Key, a.Value) {
				return
			}
		}
	}, depth)
}

func (w *walker) reflected(r reflect.Value, depth int) any {
	switch r.Kind() {
	case reflect.Bool:
		return r.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return r.Uint()
	case reflect.Float32, reflect.Float64:
		if f := r.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
		return strconv.FormatFloat(r.Float(), 'g', -1, 64) // JSON has no number for it
	case reflect.String:
		return w.string(r.String())
	case reflect.Pointer:
		if depth == maxDepth {
			return tooDeep
		}
		return w.inner(r.Elem(), depth+1)
	case reflect.Map:
		return w.pairs(r.Len(), entries(r), depth)
	case reflect.Struct:
		return w.pairs(r.NumField(), fields(r), depth)
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return w.bytes(r.Bytes())
		}
		return w.list(r, depth)
	case reflect.Array:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return sized(r.Len()) // an id, a digest or a key
		}
		return w.list(r, depth)
	}
	return "(" + r.Type().String() + ")"
}

// inner is any for a part of a value. It does not copy the value behind a pointer.
func (w *walker) inner(r reflect.Value, depth int) any {
	if r.Kind() == reflect.Struct && r.CanAddr() {
		return w.reflected(r, depth) // its methods were those of the pointer
	}
	return w.any(r.Interface(), depth)
}

func (w *walker) list(r reflect.Value, depth int) any {
	if depth == maxDepth {
		return tooDeep
	}
	out := make([]any, 0, min(r.Len(), max(0, w.values)+1))
	for i := range r.Len() {
		if w.values--; w.values < 0 {
			return append(out, more+" "+strconv.Itoa(r.Len()-i))
		}
		out = append(out, w.any(r.Index(i).Interface(), depth+1))
	}
	return out
}

// pairs makes a map of at most n entries, in the order of their keys, so that what
// is left out of a map does not change from line to line.
func (w *walker) pairs(n int, all iter.Seq2[string, any], depth int) any {
	if depth == maxDepth {
		return tooDeep
	}
	type pair struct {
		key   string
		value any
	}
	var list []pair
	for key, value := range all {
		if len(list) > w.values {
			break // more than can be kept; a map too large to sort
		}
		list = append(list, pair{key, value})
	}
	slices.SortStableFunc(list, func(a, b pair) int { return cmp.Compare(a.key, b.key) })
	out := make(map[string]any, len(list))
	for i, p := range list {
		if w.values--; w.values < 0 {
			out[more] = n - i
			break
		}
		key := w.string(p.key)
		if Sensitive(p.key) {
			out[key] = Mask
		} else {
			out[key] = w.any(p.value, depth+1)
		}
	}
	return out
}

// entries are those of a map of any type.
func entries(r reflect.Value) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for i := r.MapRange(); i.Next(); {
			key, k := "", i.Key()
			if k.Kind() == reflect.Interface {
				k = k.Elem()
			}
			switch {
			case !k.IsValid():
				key = "(nil)"
			case k.Kind() == reflect.String:
				key = k.String()
			case k.CanInt():
				key = strconv.FormatInt(k.Int(), 10)
			case k.CanUint():
				key = strconv.FormatUint(k.Uint(), 10)
			default:
				if s, ok := k.Interface().(fmt.Stringer); ok {
					key = method(s, s.String)
				} else {
					key = "(" + k.Type().String() + ")"
				}
			}
			if !yield(key, i.Value().Interface()) {
				return
			}
		}
	}
}

// fields are the exported fields of a struct that JSON would have, under the names
// it would give them.
func fields(r reflect.Value) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for i := range r.NumField() {
			f := r.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.IsExported() || name == "-" {
				continue
			}
			var value any = Mask
			if !Sensitive(f.Name) {
				value = r.Field(i).Interface()
			}
			if !yield(cmp.Or(name, f.Name), value) {
				return
			}
		}
	}
}

func (w *walker) string(s string) string { return w.head(s, len(s)) }

// head redacts the first bytes of a text that has total bytes, which are all there
// are or more than w.text.
func (w *walker) head(s string, total int) string {
	if w.text < 2*room {
		return noRoom
	}
	s = boundedHead(s, total, w.text)
	w.text -= len(s)
	return s
}

// bytes shows text as text, and of anything else only how long it is. It copies
// only as much as may be shown.
func (w *walker) bytes(b []byte) string {
	head := b[:min(len(b), max(0, w.text)+utf8.UTFMax)]
	whole := head
	for range utf8.UTFMax {
		if len(head) < len(b) && len(whole) > 0 && !utf8.Valid(whole) {
			whole = whole[:len(whole)-1]
		}
	}
	if !utf8.Valid(whole) {
		return sized(len(b))
	}
	return w.head(string(head), len(b))
}

func sized(n int) string { return "(" + strconv.Itoa(n) + " bytes)" }

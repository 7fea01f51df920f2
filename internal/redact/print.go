package redact

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/steps"
)

// Bounds of Print for one value.
const (
	maxPrint   = 8 << 10 // bytes
	printTime  = time.Second
	printSteps = 10
)

// Print returns the text of a value of the program, such as that of a panic, in a form like %+v of
// package fmt. It has at most 8 KiB and 256 values, at most 8 deep, since a value may contain
// itself. The Error and String methods of values may panic or call runtime.Goexit; the text says so
// in their place. It also does if one has not returned after a second.
func Print(v any) string {
	p := printer{values: maxValues}
	p.any(v, 0)
	if len(p.out) > maxPrint {
		return strings.ToValidUTF8(string(p.out[:maxPrint]), "") + "..."
	}
	return string(p.out)
}

type printer struct {
	out    []byte
	values int  // how many more are written
	plain  bool // no method is called
}

// text appends a text, or the beginning of one that is too long.
func (p *printer) text(s string) { p.out = append(p.out, s[:min(len(s), maxPrint+1)]...) }

// full reports whether enough is written.
func (p *printer) full() bool { return p.values < 0 || len(p.out) > maxPrint }

func (p *printer) any(v any, depth int) {
	r := reflect.ValueOf(v)
	if !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil() {
		p.text("<nil>")
		return
	}
	if !p.plain {
		switch v := v.(type) {
		case error:
			p.text(method(v, v.Error))
			return
		case fmt.Stringer:
			p.text(method(v, v.String))
			return
		case fmt.Formatter:
			p.text(method(v, func() string { return fmt.Sprintf("%+v", v) }))
			return
		}
	}
	p.reflected(r, depth)
}

func (p *printer) reflected(r reflect.Value, depth int) {
	if p.values--; p.full() || depth > maxDepth {
		p.text("...")
		return
	}
	switch r.Kind() {
	case reflect.Bool:
		p.text(strconv.FormatBool(r.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.text(strconv.FormatInt(r.Int(), 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		p.text(strconv.FormatUint(r.Uint(), 10))
	case reflect.Float32, reflect.Float64:
		p.text(strconv.FormatFloat(r.Float(), 'g', -1, r.Type().Bits()))
	case reflect.Complex64, reflect.Complex128:
		p.text(strconv.FormatComplex(r.Complex(), 'g', -1, r.Type().Bits()))
	case reflect.String:
		p.text(r.String())
	case reflect.Pointer:
		if r.IsNil() {
			p.text("<nil>")
			return
		}
		p.text("&")
		p.reflected(r.Elem(), depth+1) // the methods of what it points to are its own
	case reflect.Interface:
		p.part(r.Elem(), depth)
	case reflect.Struct:
		p.fields(r, depth)
	case reflect.Map:
		p.entries(r, depth)
	case reflect.Slice, reflect.Array:
		p.list(r, depth)
	default:
		p.text("(" + r.Type().String() + ")")
	}
}

// part is a value within another. One that is not exported is written without its methods.
func (p *printer) part(r reflect.Value, depth int) {
	if r.IsValid() && !r.CanInterface() {
		p.reflected(r, depth+1)
	} else if !r.IsValid() {
		p.text("<nil>")
	} else {
		p.any(r.Interface(), depth+1)
	}
}

func (p *printer) fields(r reflect.Value, depth int) {
	p.text("{")
	for i := 0; i < r.NumField() && !p.full(); i++ {
		if i > 0 {
			p.text(" ")
		}
		p.text(r.Type().Field(i).Name + ":")
		p.part(r.Field(i), depth)
	}
	p.text("}")
}

func (p *printer) list(r reflect.Value, depth int) {
	if r.Type().Elem().Kind() == reflect.Uint8 && (r.Kind() == reflect.Slice || r.CanAddr()) {
		// Not as numbers, which no log can mask.
		p.text(strconv.Quote(string(r.Bytes()[:min(r.Len(), maxPrint)])))
		return
	}
	p.text("[")
	for i := 0; i < r.Len() && !p.full(); i++ {
		if i > 0 {
			p.text(" ")
		}
		p.part(r.Index(i), depth)
	}
	p.text("]")
}

// entries writes a map in the order of the text of its keys, as far as it is not too large to
// be sorted.
func (p *printer) entries(r reflect.Value, depth int) {
	var list []string
	for i := r.MapRange(); !p.full() && i.Next(); {
		entry := printer{values: p.values, plain: p.plain}
		entry.part(i.Key(), depth)
		entry.text(":")
		entry.part(i.Value(), depth)
		p.values = entry.values
		list = append(list, string(entry.out))
	}
	slices.Sort(list)
	p.text("map[" + strings.Join(list, " ") + "]")
}

// method calls the Error or String method of v.
func method(v any, f func() string) string {
	if simple(reflect.TypeOf(v)) {
		return f()
	}
	done := make(chan string, 1)
	go func() {
		text, returned := "", false
		defer func() {
			if !returned {
				text = "(runtime.Goexit)"
				if value := recover(); value != nil {
					p := printer{values: maxValues, plain: true}
					p.any(value, 0)
					text = fmt.Sprintf("(panic: %.*s)", maxPrint, p.out)
				}
			}
			done <- text
		}()
		text = f()
		returned = true
	}()
	var text string
	returned := steps.Until(printSteps, printTime/printSteps, func(step time.Duration) bool {
		late := time.NewTimer(step)
		defer late.Stop()
		select {
		case text = <-done:
			return true
		case <-late.C:
			return false
		}
	})
	if returned {
		return text
	}
	return fmt.Sprintf("(the text of a %T takes too long)", v)
}

// simple reports whether the text of an error of Go's own is at hand.
func simple(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.PkgPath() {
	case "runtime", "context":
		return true
	case "errors", "fmt":
		return strings.HasSuffix(t.Name(), "String") || t.Name() == "wrapError"
	}
	return false
}

package bennu

import (
	"errors"
	"reflect"
	"testing"
)

type positive int

func (p positive) Validate() error {
	if p <= 0 {
		return errors.New("not positive")
	}
	return nil
}

type (
	withX    struct{ X positive }
	withXToo struct{ X positive }
	named    struct {
		Y positive `json:"X"`
	}
	itself struct {
		*itself
		X positive
	}
)

// TestShadowedFields: what encoding/json does not decode is not validated, and all else is.
func TestShadowedFields(t *testing.T) {
	for name, tt := range map[string]struct {
		in    any
		valid bool
	}{
		"shadowed": {&struct {
			withX
			X string
		}{}, true},
		"shadowed by tag": {&struct {
			withX
			Z string `json:"X"`
		}{}, true},
		"shadowed pointer": {&struct {
			*withX
			X string
		}{withX: &withX{}}, true},
		"same depth": {&struct {
			withX
			withXToo
		}{}, true},
		"tag wins": {&struct {
			withX
			named
		}{}, false},
		"tag wins, its own is good": {&struct {
			withX
			named
		}{named: named{1}}, true},
		"inlined": {&struct{ withX }{}, false},
		"beside another": {&struct {
			withX
			Y string
		}{}, false},
		"not inlined": {&struct {
			In withX `json:"in"`
			X  string
		}{}, false},
		"a loop":    {&itself{X: 1, itself: &itself{}}, true},
		"of a loop": {&itself{}, false},
	} {
		v, err := validationOf(reflect.TypeOf(tt.in).Elem())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var wrong error
		if v != nil {
			_, wrong = v.check(reflect.ValueOf(tt.in).Elem())
		}
		if valid := wrong == nil; valid != tt.valid {
			t.Errorf("%s: valid %v (%v), want %v", name, valid, wrong, tt.valid)
		}
	}
}

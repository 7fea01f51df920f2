// Package vsn chooses the serializer for the vsn parameter of a connection.
package vsn

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/wire"
)

// Default is the version of a client that sends no vsn. One that sends an empty vsn is
// refused.
const Default = "1.0.0"

// Versions are serializers and the versions that they are for. Any number of goroutines may use
// them at once.
type Versions struct {
	offers []offer
}

type offer struct {
	comparisons []comparison // all must hold
	serializer  wire.Serializer
}

// comparison is one part of a requirement.
type comparison struct {
	op       string
	to       semver
	anyMinor bool // ~> was written with two numbers
}

// New compiles a list, in which earlier entries win over later ones. An empty list stands for
// wire.Defaults. The error says which requirement is malformed and how to write it.
func New(list []wire.Versioned) (*Versions, error) {
	if len(list) == 0 {
		list = wire.Defaults()
	}
	vs := &Versions{offers: make([]offer, 0, len(list))}
	for _, v := range list {
		if nils.Is(v.Serializer) {
			return nil, fmt.Errorf("wire: requirement %q has no serializer: set Versioned.Serializer", v.Requirement)
		}
		if !reflect.ValueOf(v.Serializer).Comparable() {
			return nil, fmt.Errorf("wire: requirement %q: values of type %T cannot be compared with ==, as a serializer must be: give a pointer to it", v.Requirement, v.Serializer)
		}
		comparisons, err := parseRequirement(v.Requirement)
		if err != nil {
			return nil, fmt.Errorf("wire: requirement %q: %w", v.Requirement, err)
		}
		vs.offers = append(vs.offers, offer{comparisons, v.Serializer})
	}
	return vs, nil
}

// Select returns the serializer of the first entry whose requirement vsn meets, and false if
// there is none or vsn is not a version.
func (vs *Versions) Select(vsn string) (wire.Serializer, bool) {
	v, ok := parseSemver(vsn)
	if !ok {
		return nil, false
	}
	for i := range vs.offers {
		if vs.offers[i].holds(v) {
			return vs.offers[i].serializer, true
		}
	}
	return nil, false
}

func (o *offer) holds(v semver) bool {
	for i := range o.comparisons {
		if !o.comparisons[i].holds(v) {
			return false
		}
	}
	return true
}

func (c *comparison) holds(v semver) bool {
	order := v.compare(c.to)
	switch c.op {
	case "==":
		return order == 0
	case ">=":
		return order >= 0
	case ">":
		return order > 0
	case "<=":
		return order <= 0
	case "<":
		return order < 0
	}
	// ~>
	return order >= 0 && v.major == c.to.major && (c.anyMinor || v.minor == c.to.minor)
}

// operators are in the order in which they must be tried.
var operators = [...]string{"==", ">=", "<=", "~>", ">", "<"}

func parseRequirement(s string) ([]comparison, error) {
	if strings.TrimSpace(s) == "" {
		return nil, errors.New(`it is empty: write the versions it is for, as in "~> 2.0.0"`)
	}
	var list []comparison
	for part := range strings.SplitSeq(s, " and ") {
		c, err := parseComparison(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func parseComparison(s string) (comparison, error) {
	c := comparison{op: "=="}
	text := s
	for _, op := range operators {
		if after, found := strings.CutPrefix(s, op); found {
			c.op, text = op, strings.TrimSpace(after)
			break
		}
	}
	var ok bool
	if c.to, ok = parseSemver(text); ok {
		return c, nil
	}
	full, two := completeVersion(text)
	switch {
	case two && c.op == "~>":
		c.to, c.anyMinor = full, true
		return c, nil
	case c.op == "~>":
		return c, fmt.Errorf(`after ~> write two or three numbers without leading zeros, as in "~> 2.0.0", not %q`, text)
	}
	return c, fmt.Errorf(`write comparisons as an operator (==, >=, >, <=, <, ~>) and three numbers without leading zeros,`+
		` as in ">= 2.0.0 and < 3.0.0"; %q is none`, s)
}

// completeVersion reads a version of two numbers, perhaps with a pre-release, as one with the
// patch 0.
func completeVersion(s string) (semver, bool) {
	end := strings.IndexAny(s, "-+")
	if end < 0 {
		end = len(s)
	}
	return parseSemver(s[:end] + ".0" + s[end:])
}

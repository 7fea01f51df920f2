package wire

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/bennu-go/bennu/internal/nils"
)

// DefaultVersion is what a client speaks that sends no vsn at all. One that sends
// an empty vsn is refused.
const DefaultVersion = "1.0.0"

// Versioned is a serializer with the versions of the protocol it is for.
//
// A requirement is one or more comparisons joined by " and ", each an operator
// and a version of three numbers with an optional pre-release, as of SemVer:
//
//	== 2.0.0    that version; == may be left out
//	>= > <= <   by the precedence of SemVer, where 2.0.0-rc.1 is below 2.0.0
//	~> 2.0.1    at least 2.0.1, of the series 2.0
//	~> 2.1      at least 2.1.0, of the series 2
//
// ~> takes no pre-release of the version that ends its range: 2.1.0-rc.1 is not
// ~> 2.0.0. The build metadata of a version (+build) is ignored.
type Versioned struct {
	Requirement string
	Serializer  Serializer
}

// Defaults returns what a server offers when it is not told otherwise: [V1] for
// "~> 1.0.0" and [V2] for "~> 2.0.0".
func Defaults() []Versioned {
	return []Versioned{
		{"~> 1.0.0", V1{}},
		{"~> 2.0.0", V2{}},
	}
}

// Versions chooses a serializer by the vsn parameter of a connection. Any number
// of goroutines may use it at once.
type Versions struct {
	offers []offer
}

type offer struct {
	comparisons []comparison // all must hold
	serializer  Serializer
}

// comparison is one part of a requirement.
type comparison struct {
	op       string
	to       semver
	anyMinor bool // ~> was written with two numbers
}

// NewVersions compiles a list, in which earlier entries win over later ones; nil
// or an empty list stands for [Defaults]. The error says which requirement is
// malformed and how to write it.
func NewVersions(list []Versioned) (*Versions, error) {
	if len(list) == 0 {
		list = Defaults()
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

// Select returns the serializer of the first entry whose requirement vsn meets, and
// false when there is none or vsn is not a version. For a client that sends no
// vsn, vsn is [DefaultVersion].
func (vs *Versions) Select(vsn string) (Serializer, bool) {
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

// operators is in the order in which they must be tried.
var operators = [...]string{"==", ">=", "<=", "~>", ">", "<"}

func parseRequirement(s string) ([]comparison, error) {
	if strings.TrimSpace(s) == "" {
		return nil, fmt.Errorf(`it is empty: write the versions it is for, as in "~> 2.0.0"`)
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

// completeVersion reads a version of two numbers, with the pre-release it may have,
// as one with the patch 0.
func completeVersion(s string) (semver, bool) {
	end := strings.IndexAny(s, "-+")
	if end < 0 {
		end = len(s)
	}
	return parseSemver(s[:end] + ".0" + s[end:])
}

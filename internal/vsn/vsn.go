// Package vsn chooses the serializer for the vsn parameter of a connection.
package vsn

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"github.com/bennu-go/bennu/internal/nils"
	"github.com/bennu-go/bennu/wire"
)

// Default is the version of a client that sends no vsn. One that sends an empty vsn is
// refused.
const Default = "1.0.0"

// Versions is a list of serializers with the versions that they are for. It may be used from any
// goroutine.
type Versions struct {
	offers []offer
}

type offer struct {
	from       semver // the first version that is accepted
	anyMinor   bool   // later minor versions are accepted, too
	serializer wire.Serializer
}

// New compiles a list. Of two entries that match, the earlier is used. An empty list stands for
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
		o, ok := parseRequirement(v.Requirement)
		if !ok {
			return nil, fmt.Errorf(`wire: requirement %q: write ~> and two or three numbers without leading zeros, as in "~> 2.0.0"`, v.Requirement)
		}
		o.serializer = v.Serializer
		vs.offers = append(vs.offers, o)
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
		if vs.offers[i].takes(v) {
			return vs.offers[i].serializer, true
		}
	}
	return nil, false
}

func (o *offer) takes(v semver) bool {
	if v.major != o.from.major || !o.anyMinor && v.minor != o.from.minor {
		return false
	}
	order := cmp.Or(compareNumbers(v.minor, o.from.minor), compareNumbers(v.patch, o.from.patch))
	return order > 0 || order == 0 && !v.pre
}

// parseRequirement reads a requirement into an offer without a serializer.
func parseRequirement(s string) (o offer, ok bool) {
	text, found := strings.CutPrefix(strings.TrimSpace(s), "~>")
	text = strings.TrimSpace(text)
	if o.from, ok = parseSemver(text); !ok {
		o.from, ok = parseSemver(text + ".0")
		o.anyMinor = true
	}
	return o, ok && found && !o.from.pre
}

package vsn

import (
	"cmp"
	"strings"
)

// semver is a version of SemVer 2.0.0. The numbers stay digits: they come from clients, and have
// no upper bound.
type semver struct {
	major, minor, patch string
	pre                 string // identifiers, with the dots between
}

// parseSemver reads MAJOR.MINOR.PATCH with an optional -PRE and +BUILD. The build does not count
// for the order, and is dropped.
func parseSemver(s string) (v semver, ok bool) {
	s, build, hasBuild := strings.Cut(s, "+")
	if hasBuild && !areIdentifiers(build, false) {
		return v, false
	}
	s, pre, hasPre := strings.Cut(s, "-")
	if hasPre && !areIdentifiers(pre, true) {
		return v, false
	}
	var rest string
	v.pre = pre
	v.major, rest, _ = strings.Cut(s, ".")
	v.minor, v.patch, _ = strings.Cut(rest, ".")
	return v, isNumber(v.major) && isNumber(v.minor) && isNumber(v.patch)
}

// isNumber reports whether s is digits without a leading zero.
func isNumber(s string) bool {
	return isDigits(s) && (len(s) == 1 || s[0] != '0')
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}

// areIdentifiers reports whether s is identifiers with dots between. In a pre-release, those that
// are numbers have no leading zeros.
func areIdentifiers(s string, pre bool) bool {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" || pre && isDigits(id) && !isNumber(id) {
			return false
		}
		for i := range len(id) {
			c := id[i]
			if c-'0' > 9 && c|0x20-'a' > 25 && c != '-' {
				return false
			}
		}
	}
	return true
}

// compare orders versions by precedence.
func (v semver) compare(w semver) int {
	return cmp.Or(
		compareNumbers(v.major, w.major),
		compareNumbers(v.minor, w.minor),
		compareNumbers(v.patch, w.patch),
		comparePre(v.pre, w.pre),
	)
}

func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// comparePre orders pre-releases: a version without one is above all that have
// one; identifiers compare from left to right, numbers as such and below others,
// and more identifiers are above fewer.
func comparePre(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	for {
		var x, y string
		var moreA, moreB bool
		x, a, moreA = strings.Cut(a, ".")
		y, b, moreB = strings.Cut(b, ".")
		if c := compareIdentifiers(x, y); c != 0 {
			return c
		}
		switch {
		case !moreA && !moreB:
			return 0
		case !moreA:
			return -1
		case !moreB:
			return 1
		}
	}
}

func compareIdentifiers(x, y string) int {
	switch nx, ny := isDigits(x), isDigits(y); {
	case nx && ny:
		return compareNumbers(x, y)
	case nx:
		return -1
	case ny:
		return 1
	}
	return strings.Compare(x, y)
}

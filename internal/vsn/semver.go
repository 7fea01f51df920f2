package vsn

import (
	"cmp"
	"strings"
)

// semver is a version of SemVer 2.0.0. The numbers stay digits: they come from clients, and have
// no upper bound.
type semver struct {
	major, minor, patch string
	pre                 bool // it is a pre-release
}

// parseSemver reads MAJOR.MINOR.PATCH with an optional -PRE and +BUILD, which it checks and
// drops: requirements have none.
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
	v.pre = hasPre
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

func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

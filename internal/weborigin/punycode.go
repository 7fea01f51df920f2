package weborigin

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// toASCII returns a name with letters outside ASCII in the form in which browsers send it. It
// returns "" if that needs more than lower case: the tables of IDNA, by which browsers also compose
// accents and replace wide and styled letters, are not here.
func toASCII(name string) string {
	labels := strings.FieldsFunc(small(name), func(c rune) bool {
		return c == '.' || c == '\u3002' || c == '\uff0e' || c == '\uff61'
	})
	for i, label := range labels {
		if isASCII(label) {
			continue
		}
		leftward := func(c rune) bool { return unicode.In(c, unicode.Hebrew, unicode.Arabic) }
		if strings.ContainsFunc(label, func(c rune) bool { return !plain(c) }) ||
			strings.ContainsFunc(label, leftward) && strings.ContainsFunc(label, func(c rune) bool { return !leftward(c) }) {
			return ""
		}
		labels[i] = "xn--" + punycode(label)
	}
	right := strings.Join(labels, ".")
	if _, fault := CheckHost(right); fault != nil {
		return ""
	}
	return right
}

// small returns the lower case of a letter, except of those that Go and IDNA convert differently.
func small(name string) string {
	return strings.Map(func(c rune) rune {
		if c == '\u0130' || c == '\u1e9e' {
			return c
		}
		return unicode.ToLower(c)
	}, name)
}

// plain reports whether IDNA leaves a lower-case letter as it is. If in doubt it returns false.
func plain(c rune) bool {
	switch {
	case c < utf8.RuneSelf:
		return c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z'
	case slices.Contains(replaced, c):
		return false
	case unicode.In(c, cased):
		return unicode.IsLower(c)
	}
	return unicode.In(c, caseless)
}

// replaced are the lower-case letters of cased that IDNA replaces, or has replaced: ĳ, ŀ, ŉ, ſ, and
// the sigma at the end of a word.
var replaced = []rune{0x133, 0x140, 0x149, 0x17f, 0x3c2}

// cased has the letters of Latin, Greek and Cyrillic, caseless those of Hebrew, Arabic, Japanese,
// Chinese and Korean.
var (
	cased = &unicode.RangeTable{R16: []unicode.Range16{
		{Lo: 0xdf, Hi: 0xf6, Stride: 1}, {Lo: 0xf8, Hi: 0x17f, Stride: 1}, {Lo: 0x1a1, Hi: 0x1a1, Stride: 1}, {Lo: 0x1b0, Hi: 0x1b0, Stride: 1},
		{Lo: 0x219, Hi: 0x21b, Stride: 2}, {Lo: 0x3ac, Hi: 0x3ce, Stride: 1}, {Lo: 0x430, Hi: 0x45f, Stride: 1}, {Lo: 0x491, Hi: 0x491, Stride: 1},
		{Lo: 0x1ea1, Hi: 0x1ef9, Stride: 2},
	}}
	caseless = &unicode.RangeTable{R16: []unicode.Range16{
		{Lo: 0x5d0, Hi: 0x5ea, Stride: 1}, {Lo: 0x621, Hi: 0x63a, Stride: 1}, {Lo: 0x641, Hi: 0x64a, Stride: 1},
		{Lo: 0x3041, Hi: 0x3096, Stride: 1}, {Lo: 0x30a1, Hi: 0x30fa, Stride: 1}, {Lo: 0x30fc, Hi: 0x30fc, Stride: 1},
		{Lo: 0x3400, Hi: 0x4dbf, Stride: 1}, {Lo: 0x4e00, Hi: 0x9fff, Stride: 1}, {Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
	}}
)

// The parameters of punycode, RFC 3492, section 5.
const (
	base        = 36
	tMin        = 1
	tMax        = 26
	skew        = 38
	damp        = 700
	initialBias = 72
	initialN    = 128
)

// punycode encodes a label by RFC 3492, section 6.3. A label is short, so nothing
// overflows.
func punycode(label string) string {
	var out []byte
	runes := []rune(label)
	for _, c := range runes {
		if c < initialN {
			out = append(out, byte(c))
		}
	}
	basic := len(out)
	if basic > 0 {
		out = append(out, '-')
	}
	n, delta, bias := rune(initialN), 0, initialBias
	for handled := basic; handled < len(runes); {
		next := rune(unicode.MaxRune)
		for _, c := range runes {
			if c >= n {
				next = min(next, c)
			}
		}
		delta += int(next-n) * (handled + 1)
		n = next
		for _, c := range runes {
			if c < n {
				delta++
			}
			if c != n {
				continue
			}
			q := delta
			for k := base; ; k += base {
				t := min(max(k-bias, tMin), tMax)
				if q < t {
					break
				}
				out = append(out, digit(t+(q-t)%(base-t)))
				q = (q - t) / (base - t)
			}
			out = append(out, digit(q))
			bias = adapt(delta, handled+1, handled == basic)
			delta = 0
			handled++
		}
		delta++
		n++
	}
	return string(out)
}

func adapt(delta, points int, first bool) int {
	if first {
		delta /= damp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for ; delta > (base-tMin)*tMax/2; k += base {
		delta /= base - tMin
	}
	return k + (base-tMin+1)*delta/(delta+skew)
}

func digit(d int) byte {
	if d < 26 {
		return byte('a' + d)
	}
	return byte('0' + d - 26)
}

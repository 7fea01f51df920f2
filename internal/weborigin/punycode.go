package weborigin

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// toASCII is a name with letters outside ASCII as browsers send it, or empty when that
// takes more than small letters: the tables of IDNA, by which a browser also composes
// accents and replaces wide and styled letters, are not here.
func toASCII(name string) string {
	labels := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool {
		return c == '.' || c == '\u3002' || c == '\uff0e' || c == '\uff61'
	})
	for i, label := range labels {
		if isASCII(label) {
			continue
		}
		if strings.ContainsFunc(label, func(c rune) bool { return !plain(c) }) {
			return ""
		}
		labels[i] = "xn--" + punycode(label)
	}
	return strings.Join(labels, ".")
}

// plain reports whether IDNA leaves a small letter as it is. It errs on the side of no.
func plain(c rune) bool {
	switch {
	case c < utf8.RuneSelf:
		return c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z'
	case c < 0xdf || 0x2000 <= c && c < 0x3041 || c > 0xd7a3:
		return false
	}
	return unicode.IsLetter(c) && unicode.ToLower(c) == c
}

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

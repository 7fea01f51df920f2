package redact

// unit is one character of a text after its encodings have been undone: percent
// encoding, any number of times, and the backslashes of JSON and of Go strings, any
// number of times. So one grammar finds a secret in a query, in a query inside a
// query, in JSON and in JSON inside JSON; and what tells the layers apart is kept,
// since a value ends with a character of its own layer and not of one inside it.
type unit struct {
	b       byte
	level   int  // how many times it was percent-encoded
	slashes int  // the backslashes before it, of the same level
	escaped bool // written by its number: \u0022 or \x22
	end     int  // where the next unit starts
}

// unitAt undoes the encodings of the character at i. Its time is proportional to
// the length of the unit.
func unitAt(s string, i int) unit {
	if b := s[i]; b != '%' && b != '\\' {
		return unit{b: b, end: i + 1}
	}
	b, level, end := percentAt(s, i)
	if b != '\\' {
		return unit{b: b, level: level, end: end}
	}
	slash := unit{b: '\\', level: level, end: end}
	for slashes := 1; slash.end < len(s); slashes++ {
		b, at, end := percentAt(s, slash.end)
		switch {
		case at != level:
			return slash
		case b == '\\':
			slash.end = end
			continue
		}
		if value, n := number(s[slash.end:]); n > 0 {
			return unit{b: value, level: level, slashes: slashes, escaped: true, end: slash.end + n}
		}
		return unit{b: b, level: level, slashes: slashes, end: end}
	}
	return slash
}

// percentAt undoes percent encoding at i: %3D is an equals sign of level 1, %253D
// one of level 2.
func percentAt(s string, i int) (b byte, level, end int) {
	if s[i] != '%' {
		return s[i], 0, i + 1
	}
	end = i + 1
	for {
		value, ok := hex(s, end)
		if !ok {
			return '%', level, end
		}
		level++
		end += 2
		if value != '%' {
			return value, level, end
		}
	}
}

// number reads what follows the backslash of \u00XX and \xXX, and how long it is.
func number(s string) (value byte, n int) {
	var ok bool
	switch {
	case len(s) >= 5 && s[0] == 'u' && s[1] == '0' && s[2] == '0':
		value, ok = hex(s, 3)
		n = 5
	case len(s) >= 3 && s[0] == 'x':
		value, ok = hex(s, 1)
		n = 3
	}
	if !ok {
		return 0, 0
	}
	return value, n
}

// hex reads two hexadecimal digits at i.
func hex(s string, i int) (value byte, ok bool) {
	if i+2 > len(s) {
		return 0, false
	}
	high, ok1 := digit(s[i])
	low, ok2 := digit(s[i+1])
	return high<<4 | low, ok1 && ok2
}

func digit(b byte) (value byte, ok bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= lower(b) && lower(b) <= 'f':
		return lower(b) - 'a' + 10, true
	}
	return 0, false
}

// isBlank reports whether the unit is white space, or stands for a line break or a
// tab in a quoted text.
func (u unit) isBlank() bool {
	if u.slashes > 0 && !u.escaped {
		return u.b == 'n' || u.b == 'r' || u.b == 't'
	}
	return u.b == ' ' || u.b == '\t' || u.b == '\n' || u.b == '\r'
}

// isBreak reports whether the unit is white space or a control character as it
// stands in a text, not one that the text tells of.
func (u unit) isBreak() bool {
	return u.slashes == 0 && (u.b <= ' ' || u.b == 0x7f)
}

func (u unit) isQuote() bool { return u.b == '"' || u.b == '\'' || u.b == '`' }

// isName reports whether the unit may be part of a name: of a field, a header, a
// file, or of a nested parameter such as user[password].
func (u unit) isName() bool {
	switch b := u.b; {
	case 'a' <= lower(b) && lower(b) <= 'z', '0' <= b && b <= '9', b >= 0x80:
		return true
	default:
		return b == '_' || b == '-' || b == '.' || b == '[' || b == ']' || b == '$' || b == '@'
	}
}

// isToken reports whether the unit may be part of a token.
func (u unit) isToken() bool {
	switch b := u.b; {
	case 'a' <= lower(b) && lower(b) <= 'z', '0' <= b && b <= '9':
		return true
	default:
		return b == '_' || b == '-' || b == '.' || b == '='
	}
}

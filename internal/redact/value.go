package redact

import "strings"

// field is a name and its separator, found before a value.
type field struct {
	value  int  // where the value starts
	sep    byte // '=' or ':'
	level  int  // of the separator
	spaced bool // blanks stand between the separator and the value
	quoted bool // the name is quoted
	kind   kind
}

// separator reads on from the end of a word to the value: the rest of the name, its
// quote, the separator.
func (f *finder) separator(p int) (field, bool) {
	name := p
	for f.at(name).isName() {
		name = f.at(name).end
	}
	if fd, ok := f.separatorAt(name); ok && !f.isLine(name, fd) {
		return fd, true
	}
	// As %q leaves it: invalid token "x".
	if q := f.blanks(name); q > name && f.at(q).isQuote() {
		return field{value: q, sep: ' ', level: f.at(q).level}, true
	}
	// A quoted name may have blanks: "the token of bob": "x".
	p = name
	for range maxName {
		u := f.at(p)
		if u.isBreak() && u.b != ' ' {
			break
		}
		if u.isQuote() {
			fd, ok := f.separatorAt(p)
			return fd, ok && !f.isLine(name, fd)
		}
		p = u.end
	}
	return field{}, false
}

// separatorAt reads the end of a name at p: a quote or none, blanks, and one of
// = == : := => with blanks.
func (f *finder) separatorAt(p int) (fd field, ok bool) {
	u := f.at(p)
	if u.isQuote() {
		fd.quoted = true
		p = u.end
	}
	p = f.blanks(p)
	u = f.at(p)
	if u.b != '=' && u.b != ':' {
		return field{}, false
	}
	fd.sep, fd.level = u.b, u.level
	for range 2 {
		p = u.end
		if u = f.at(p); u.b != '=' && u.b != ':' && u.b != '>' {
			break
		}
	}
	fd.value = f.blanks(p)
	fd.spaced = fd.value > p
	return fd, fd.value < len(f.s)
}

func (f *finder) blanks(p int) int {
	for p < len(f.s) {
		u := f.at(p)
		if !u.isBlank() {
			break
		}
		p = u.end
	}
	return p
}

// isLine reports whether a name and its value are a place in a source file, as in
// session.go:42, which a stack is no use without.
func (f *finder) isLine(name int, fd field) bool {
	if !strings.HasSuffix(f.s[:name], ".go") || f.s[name:fd.value] != ":" {
		return false
	}
	p := fd.value
	for p < len(f.s) && '0' <= f.s[p] && f.s[p] <= '9' {
		p++
	}
	return p > fd.value && (p == len(f.s) || !f.at(p).isName())
}

// value masks the value of a field.
func (f *finder) value(fd field) {
	start := fd.value
	switch u := f.at(start); {
	case u.level > fd.level: // a character of the value, which is encoded as a whole
	case u.isQuote():
		f.mask(u.end, f.closing(u))
		return
	case u.b == '[' || u.b == '{' || u.b == '(':
		end := f.balanced(start)
		if !f.endsAt(end) {
			end = f.bare(end, fd)
		}
		f.mask(start, end)
		return
	}
	end := f.bare(start, fd)
	if fd.spaced && fd.sep == ':' && harmless[f.s[start:end]] {
		return
	}
	f.mask(start, end)
}

// closing returns the position of the quote that closes the quote open, or the end
// of the text. A quote with more text right behind it closes nothing.
func (f *finder) closing(open unit) int {
	for p := open.end; p < len(f.s); {
		u := f.at(p)
		if u.b == open.b && open.closedBy(u) && f.endsAt(u.end) {
			if u.escaped {
				return p
			}
			// Backslashes before the quote that are not the quote's are the value's.
			return max(p, u.end-(1+min(u.slashes, open.slashes))*(1+2*u.level))
		}
		p = u.end
	}
	return len(f.s)
}

// closedBy reports whether the quote end closes the quote u, by the backslashes
// before it. Text that was quoted k times has 2^k-1 before a quote of its own, and
// 2^k for each backslash of its own.
func (u unit) closedBy(end unit) bool {
	switch {
	case end.level != u.level:
		return end.level < u.level
	case u.escaped:
		return end.slashes < u.slashes || end.escaped && end.slashes == u.slashes
	case end.escaped:
		return false
	}
	unit := 1
	for 2*unit <= u.slashes+1 {
		unit *= 2
	}
	inner := end.slashes - (unit - 1)
	return inner < 0 || inner%(2*unit) == 0
}

// endsAt reports whether what stands at p can follow the end of a value.
func (f *finder) endsAt(p int) bool {
	u := f.at(p)
	if u.isBreak() || u.slashes > 0 || u.isQuote() {
		return true
	}
	switch u.b {
	case ',', ';', '&', ':', ')', ']', '}', '>':
		return true
	}
	return false
}

// balanced is where the brackets that open at p have closed, not counting those in
// quotes, or the end of the text.
func (f *finder) balanced(p int) int {
	for depth := 0; p < len(f.s); {
		u := f.at(p)
		switch u.b {
		case '"':
			// What closing returns starts with the quote and its own backslashes.
			p = f.at(f.closing(u)).end
			continue
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			depth--
		}
		p = u.end
		if depth == 0 {
			return p
		}
	}
	return len(f.s)
}

// bare returns the end of the value without quotes at p.
func (f *finder) bare(p int, fd field) int {
	switch {
	case fd.sep == ':' && fd.kind == wide:
		return f.line(p, fd)
	case fd.sep == ':' && (fd.kind == phrase || f.isInside(fd)):
		return f.printed(p, fd)
	}
	return f.word(p, fd)
}

// isInside reports whether a field with a colon is one of several in brackets, as
// JSON and Go print them, where the blanks of a value tell nothing.
func (f *finder) isInside(fd field) bool { return !fd.spaced && (f.depth > 0 || fd.quoted) }

// line is the end of the line.
func (f *finder) line(p int, fd field) int {
	for p < len(f.s) {
		u := f.at(p)
		if u.level <= fd.level && u.slashes == 0 && (u.b == '\n' || u.b == '\r') {
			break
		}
		p = u.end
	}
	return p
}

// word is the end of a value that has no blanks: a blank, an ampersand, or a quote
// that ends something around the value. A list of cookies goes on behind "; ".
func (f *finder) word(p int, fd field) int {
	start, last := p, byte(0)
	for p < len(f.s) {
		u := f.at(p)
		if u.level <= fd.level && !u.escaped {
			if u.isBreak() && (fd.kind != wide || last != ';' && last != ',') {
				break
			}
			if u.b == '&' || u.b == '"' && f.endsAt(u.end) {
				break
			}
		}
		last, p = u.b, u.end
	}
	// Punctuation of the text around the value.
	if end := start + len(strings.TrimRight(f.s[start:p], ",;)]}>")); end > start {
		return end
	}
	return p
}

// printed is the end of a value that may have blanks: where brackets around it
// close, or where the next field starts.
func (f *finder) printed(p int, fd field) int {
	for depth := 0; p < len(f.s); {
		u := f.at(p)
		if u.level > fd.level || u.escaped {
			p = u.end
			continue
		}
		switch {
		case u.b == '[', u.b == '{', u.b == '(':
			depth++
		case (u.b == ']' || u.b == '}' || u.b == ')') && depth > 0:
			depth--
		case depth > 0:
		case u.b == ']', u.b == '}', u.b == ')':
			if f.endsAt(u.end) {
				return p
			}
		case u.b == '"':
			if f.endsAt(u.end) && !f.at(u.end).isBreak() || u.end == len(f.s) {
				return p
			}
		case u.b == '&':
			return p
		case u.b == ',':
			if next := f.blanks(u.end); f.at(next).isQuote() || f.isField(next, true) {
				return p
			}
		case u.isBreak():
			if (u.b == '\n' || u.b == '\r') && f.depth == 0 || f.isField(u.end, false) {
				return p
			}
		}
		p = u.end
	}
	return p
}

// isField reports whether a name and a separator are at p, and the start of a value,
// which blanks may precede if spaced.
func (f *finder) isField(p int, spaced bool) bool {
	start := p
	for range maxName {
		u := f.at(p)
		if !u.isName() {
			return p > start && (u.b == ':' || u.b == '=') && (spaced || !f.at(u.end).isBreak())
		}
		p = u.end
	}
	return false
}

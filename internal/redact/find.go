package redact

import "strings"

// finder finds the secrets of a text. Each word is looked at by itself, and the
// spans that follow from all of them are joined: no text around a name can make
// the finder skip it.
type finder struct {
	s     string
	cut   bool // s is the head of a longer text
	spans []span

	depth int // open brackets at the current word
	work  int // units that may still be read behind words
}

// workPerByte and workAtLeast bound the work behind words. Spans may overlap, so a
// text made for it could have each word read all the rest; when the work is used
// up, the rest of the text is masked instead.
const (
	workPerByte = 8
	workAtLeast = 4096
)

// maxName is how many units a name may go on behind its word, when it is a quoted
// name with blanks, or one that stands inside a value.
const maxName = 64

func (f *finder) find() {
	f.work = workPerByte*len(f.s) + workAtLeast
	for i := 0; i < len(f.s); {
		switch f.s[i] {
		case '[', '{':
			f.depth++
		case ']', '}':
			f.depth = max(0, f.depth-1)
		}
		if f.mayStart(i) {
			f.look(i)
		}
		if f.work <= 0 {
			f.mask(i, len(f.s))
			return
		}
		i = f.next(i)
	}
}

// mayStart reports whether something worth a look may start at i. It does not know
// of what starts with, or goes on with, an encoded character.
func (f *finder) mayStart(i int) bool {
	a := f.s[i]
	if a == '%' || a == '\\' {
		return true
	}
	if classes[a] != first || i+1 == len(f.s) {
		return false
	}
	b := f.s[i+1]
	return b == '%' || b == '\\' || isPair(a, b)
}

func (f *finder) look(i int) {
	u := f.at(i)
	if u.b == ':' {
		f.user(u)
	}
	list := starting[u.b]
	for k := range list {
		if end := f.match(i, &list[k]); end > 0 {
			f.behind(i, end, list[k].kind)
		}
	}
}

// next is where the search goes on. It steps into encoded characters, which may be
// no encoding at all but the start of a word: the "ba" of "100%basic".
func (f *finder) next(i int) int {
	slash := f.s[i] == '\\'
	for i++; slash && i < len(f.s) && f.s[i] == '\\'; i++ {
	}
	return i
}

// at is the unit at i. Beyond the end it is a line break that ends there.
func (f *finder) at(i int) unit {
	if i >= len(f.s) {
		return unit{b: '\n', end: len(f.s)}
	}
	f.work--
	return unitAt(f.s, i)
}

// match returns where w ends if it is at i, else 0.
func (f *finder) match(i int, w *word) int {
	for k := range len(w.text) {
		if i >= len(f.s) {
			return 0
		}
		u := unitAt(f.s, i)
		if u.b != w.text[k] && (w.exact || lower(u.b) != w.text[k]) {
			return 0
		}
		i = u.end
	}
	return i
}

// behind masks the secret that a word from start to end announces.
func (f *finder) behind(start, end int, k kind) {
	switch k {
	case webJWT:
		stop := f.run(end)
		if strings.IndexByte(f.s[end:stop], '.') >= 0 || f.isCutAt(stop) {
			f.mask(start, stop)
		}
	case signed:
		if stop := f.run(end); stop > end || f.isCutAt(stop) {
			f.mask(start, stop)
		}
	case scheme:
		if f.subprotocol(end) {
			return
		}
		if v, level, ok := f.afterScheme(end); ok {
			f.value(field{value: v, sep: '=', level: level, kind: single})
		}
	default:
		if fd, ok := f.separator(end); ok {
			fd.kind = k
			f.value(fd)
		}
	}
}

// subprotocol masks the token of a subprotocol base64url.bearer.phx.TOKEN, where p
// is behind "bearer". It is standard base64, which has slashes and plus signs.
func (f *finder) subprotocol(p int) bool {
	const rest = ".phx."
	for k := range len(rest) {
		u := f.at(p)
		if lower(u.b) != rest[k] {
			return false
		}
		p = u.end
	}
	stop := p
	for stop < len(f.s) {
		u := f.at(stop)
		if !u.isToken() && u.b != '+' && u.b != '/' {
			break
		}
		stop = u.end
	}
	f.mask(p, stop)
	return true
}

// afterScheme returns where the credentials of a scheme start, and the level of
// what stands between; a query may have a plus sign for the blank.
func (f *finder) afterScheme(p int) (v, level int, ok bool) {
	u := f.at(p)
	if !u.isBlank() && u.b != '+' && u.b != ':' && u.b != '=' {
		return 0, 0, false
	}
	level = u.level
	for p < len(f.s) && (u.isBlank() || u.b == '+' || u.b == ':' || u.b == '=') {
		p = u.end
		u = f.at(p)
	}
	return p, level, p < len(f.s)
}

// run is where the characters of a token end.
func (f *finder) run(p int) int {
	for p < len(f.s) {
		u := f.at(p)
		if !u.isToken() {
			break
		}
		p = u.end
	}
	return p
}

// user masks the user and password of a URL, where colon is behind its scheme.
func (f *finder) user(colon unit) {
	p := colon.end
	for range 2 {
		u := f.at(p)
		if u.b != '/' {
			return
		}
		p = u.end
	}
	start, last := p, 0
	for p < len(f.s) {
		u := f.at(p)
		if u.isBreak() || u.level <= colon.level && (u.b == '/' || u.b == '?' || u.b == '#' || u.b == '"') {
			break
		}
		if u.b == '@' && u.level <= colon.level {
			last = p
		}
		p = u.end
	}
	switch {
	case last > 0:
		f.mask(start, last)
	case f.isCutAt(p): // the at sign may have been cut off
		f.mask(start, p)
	}
}

// isCutAt reports whether p is where a longer text was cut.
func (f *finder) isCutAt(p int) bool { return f.cut && p >= len(f.s) }

func (f *finder) mask(start, end int) {
	if start < end {
		f.spans = append(f.spans, span{start, end})
	}
}

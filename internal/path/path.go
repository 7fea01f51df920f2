// Package path matches the paths of requests against the patterns at which sockets are mounted.
package path

import (
	"fmt"
	"strings"
)

// A Path is the pattern of a mounted path. It works on segments, the parts between slashes. Empty
// segments are ignored in pattern and request alike, so //socket//websocket/ is /socket/websocket.
// A Path never changes and may be used from any goroutine.
type Path struct {
	segments []segment
	vars     int // number of exposed variables
}

// segment is a text to match, or a variable. A variable that is not exposed has no name.
type segment struct {
	text     string
	name     string
	variable bool
}

// Compile joins the parts with slashes and makes a pattern of them. A segment ":name" is a
// variable, which matches any one segment; with a name that begins with "_" it is not exposed. The
// error names a variable without a name, or one that occurs twice.
func Compile(parts ...string) (*Path, error) {
	pattern := strings.Join(parts, "/")
	p := &Path{}
	seen := map[string]bool{}
	for rest := pattern; ; {
		var text string
		if text, rest = nextSegment(rest); text == "" {
			return p, nil
		}
		s := segment{text: text}
		if name, ok := strings.CutPrefix(text, ":"); ok {
			if name == "" {
				return nil, fmt.Errorf("bennu: path %q has a variable without a name: write \":name\"", pattern)
			}
			s.variable = true
			if name[0] != '_' {
				if seen[name] {
					return nil, fmt.Errorf("bennu: path %q has the variable %q twice: rename one of them", pattern, text)
				}
				seen[name] = true
				s.name = name
				p.vars++
			}
		}
		p.segments = append(p.segments, s)
	}
}

// Match reports whether path has the pattern's segments, and returns the
// exposed variables, in a new map, or nil if there are none. Nothing is
// allocated unless a path with exposed variables matches.
//
// path should be URL.Path of an http.Request, in which escapes are decoded. Middleware, ServeMux
// and proxies judge requests by that path, so the path that they let pass is the one matched here.
// As a consequence %2F separates segments like a slash, and a variable never contains one.
func (p *Path) Match(path string) (vars map[string]string, ok bool) {
	rest := path
	for i := range p.segments {
		var text string
		text, rest = nextSegment(rest)
		if text == "" || !p.segments[i].variable && text != p.segments[i].text {
			return nil, false
		}
	}
	if text, _ := nextSegment(rest); text != "" {
		return nil, false
	}
	if p.vars == 0 {
		return nil, true
	}
	vars = make(map[string]string, p.vars)
	rest = path
	for i := range p.segments {
		var text string
		text, rest = nextSegment(rest)
		if name := p.segments[i].name; name != "" {
			vars[name] = text
		}
	}
	return vars, true
}

// String returns the pattern in its shortest form, such as "/vars/:tenant".
func (p *Path) String() string {
	if len(p.segments) == 0 {
		return "/"
	}
	var b strings.Builder
	for i := range p.segments {
		b.WriteByte('/')
		b.WriteString(p.segments[i].text)
	}
	return b.String()
}

// nextSegment cuts the first segment that is not empty. It returns an empty one
// when there is none.
func nextSegment(path string) (text, rest string) {
	for path != "" && path[0] == '/' {
		path = path[1:]
	}
	text, rest, _ = strings.Cut(path, "/")
	return text, rest
}

package path

import (
	"maps"
	"strings"
	"testing"
)

func TestPathMatch(t *testing.T) {
	plain := []string{"/socket", "/websocket"}
	vars := []string{"/vars/:tenant", "ws/:x"}
	tests := []struct {
		parts []string
		path  string
		ok    bool
		want  map[string]string
	}{
		{plain, "/socket/websocket", true, nil},
		{plain, "//socket//websocket/", true, nil},
		{plain, "socket/websocket", true, nil},
		{plain, "/socket/websocket///", true, nil},
		{plain, "/socket", false, nil},
		{plain, "/socket/", false, nil},
		{plain, "/", false, nil},
		{plain, "", false, nil},
		{plain, "/socket/websocket/x", false, nil},
		{plain, "/x/socket/websocket", false, nil},
		{plain, "/Socket/websocket", false, nil},
		{plain, "/socket/websockets", false, nil},
		{plain, "/socket/websocke", false, nil},
		{plain, "/socketwebsocket", false, nil},
		{plain, "/socket/./websocket", false, nil},
		{plain, "/socket/../socket/websocket", false, nil},
		{[]string{"socket//", "//websocket//"}, "/socket/websocket", true, nil},
		{[]string{"/socket", ""}, "/socket", true, nil},
		{[]string{"/"}, "/", true, nil},
		{[]string{"/"}, "", true, nil},
		{[]string{"/"}, "/x", false, nil},
		{nil, "/", true, nil},

		{vars, "/vars/acme/ws/9", true, map[string]string{"tenant": "acme", "x": "9"}},
		{vars, "//vars//acme/ws///9/", true, map[string]string{"tenant": "acme", "x": "9"}},
		{vars, "/vars//ws/9", false, nil},
		{vars, "/vars/acme/ws", false, nil},
		{vars, "/vars/acme/ws/", false, nil},
		{vars, "/vars/acme/ws/9/10", false, nil},
		{vars, "/vars/acme/xs/9", false, nil},
		{vars, "/vars/:tenant/ws/:x", true, map[string]string{"tenant": ":tenant", "x": ":x"}},
		{vars, "/vars/ö ?#&/ws/\xff", true, map[string]string{"tenant": "ö ?#&", "x": "\xff"}},
		{[]string{"/:a"}, "/x", true, map[string]string{"a": "x"}},
		{[]string{"/:_a/s"}, "/x/s", true, nil},
		{[]string{"/:_/:_/s"}, "/x/y/s", true, nil},
		{[]string{"/:_a/s"}, "/s", false, nil},
		{[]string{"/:_a/:b"}, "/x/y", true, map[string]string{"b": "y"}},
		{[]string{"/a:b"}, "/a:b", true, nil},
		{[]string{"/a:b"}, "/axb", false, nil},
	}
	for _, tt := range tests {
		p, err := Compile(tt.parts...)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := p.Match(tt.path)
		if ok != tt.ok || !maps.Equal(got, tt.want) || (got == nil) != (tt.want == nil) {
			t.Errorf("%s of %q = %v, %v, want %v, %v", p, tt.path, got, ok, tt.want, tt.ok)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	tests := []struct {
		parts []string
		want  string
	}{
		{[]string{"/a/:/b"}, `path "/a/:/b" has a variable without a name: write ":name"`},
		{[]string{"/:a", "ws/:a"}, `path "/:a/ws/:a" has the variable ":a" twice: rename one of them`},
	}
	for _, tt := range tests {
		p, err := Compile(tt.parts...)
		if p != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Compile(%q) = %v, %v, want error %q", tt.parts, p, err, tt.want)
		}
	}
}

func TestPathString(t *testing.T) {
	for _, tt := range []struct{ pattern, want string }{
		{"", "/"}, {"//", "/"}, {"a//:b/", "/a/:b"}, {"/:_x", "/:_x"},
	} {
		p, err := Compile(tt.pattern)
		if err != nil || p.String() != tt.want {
			t.Errorf("%q: %v, %v, want %q", tt.pattern, p, err, tt.want)
		}
	}
}

func TestPathMatchAllocatesNothing(t *testing.T) {
	for _, tt := range []struct{ pattern, path string }{
		{"/socket/websocket", "//socket/websocket/"},
		{"/socket/websocket", "/another/path"},
		{"/socket/:_any/websocket", "/socket/x/websocket"},
		{"/vars/:tenant/ws", "/vars/acme/no"},
		{"/vars/:tenant/ws", "/vars/acme/ws/more"},
	} {
		p, err := Compile(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { p.Match(tt.path) }); n != 0 {
			t.Errorf("%s of %q: %v allocations", p, tt.path, n)
		}
	}
}

func FuzzPathMatch(f *testing.F) {
	f.Add("/vars/:tenant/ws/:x", "/vars/acme/ws/9")
	f.Add("//a//", "a")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		vars, ok := p.Match(path)
		if again, okAgain := p.Match("/" + path + "//"); okAgain != ok || !maps.Equal(vars, again) {
			t.Errorf("empty segments change the match of %q and %q", pattern, path)
		}
		for name, value := range vars {
			if name == "" || name[0] == '_' || value == "" || strings.Contains(value, "/") {
				t.Errorf("variable %q = %q", name, value)
			}
		}
		if !strings.Contains(pattern, ":") && !ok {
			if _, ok := p.Match(pattern); !ok {
				t.Errorf("%q does not match itself", pattern)
			}
		}
	})
}

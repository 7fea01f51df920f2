package demo

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/examples/hello"
)

// The code on the page is lines of the file that it names, and whole functions.
func TestHandlersAreReal(t *testing.T) {
	resp, err := http.Get(newDemo(t).url + "/handlers.json")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	var shown map[string][]excerpt
	if err := json.NewDecoder(resp.Body).Decode(&shown); err != nil {
		t.Fatal(err)
	}
	if len(shown) != len(handled) {
		t.Errorf("%d of %d are shown", len(shown), len(handled))
	}
	for key, excerpts := range shown {
		for _, e := range excerpts {
			text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "examples", "hello", e.File))
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(text), "\n")
			n := strings.Count(e.Code, "\n") + 1
			if e.Line < 1 || e.Line-1+n > len(lines) || strings.Join(lines[e.Line-1:e.Line-1+n], "\n") != e.Code {
				t.Errorf("%s: from line %d of %s on there is not\n%s", key, e.Line, e.File, e.Code)
			}
			if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+e.Code, 0); err != nil || strings.Count(e.Code, "\nfunc ") > 1 {
				t.Errorf("%s is no function: %v\n%s", key, err, e.Code)
			}
		}
	}
}

// The page shows a handler for every event that the channels handle, and for every event that the page
// pushes.
func TestHandlersAreAll(t *testing.T) {
	sources, err := fs.Glob(hello.Source, "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range sources {
		text, err := hello.Source.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		topic := strings.TrimSuffix(path, ".go")
		for _, on := range regexp.MustCompile(`bennu\.On\(d, "(\w+)", \(\*(\w+)\)\.(\w+)\)`).FindAllStringSubmatch(string(text), -1) {
			if names := strings.Join(handled[topic+" "+on[1]], " "); !strings.Contains(names+" ", on[2]+"."+on[3]+" ") {
				t.Errorf("%s calls %s.%s, and the page shows %q", on[1], on[2], on[3], names)
			}
		}
	}
	pages, err := fs.Glob(pageFiles, "page/*.js")
	if err != nil {
		t.Fatal(err)
	}
	pushed := 0
	for _, path := range pages {
		text, err := pageFiles.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		topic := strings.TrimSuffix(filepath.Base(path), ".js")
		for _, push := range regexp.MustCompile(`\b(?:push|ask)\("(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			pushed++
			if handled[topic+" "+push[1]] == nil {
				t.Errorf("%s pushes %s, of which the page shows no handler", path, push[1])
			}
		}
	}
	if pushed == 0 {
		t.Error("the page pushes nothing")
	}
}

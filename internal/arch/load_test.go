// Package arch has only tests. They hold the module to its own rules: which
// way imports run, which modules the core may reach, what has to be documented,
// and what library code must not do. Every rule is a function over a small model of
// the code, so that each can be shown to fail on code that breaks it.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// module is the path that every package of the project starts with.
const module = "github.com/bennu-go/bennu"

// A listed is what `go list` says of one package, of the module or not.
type listed struct {
	ImportPath string
	Dir        string
	Standard   bool
	Module     *struct{ Path string }
	Imports    []string
	Error      *struct{ Err string }
}

// ours reports whether the package belongs to the module.
func (p *listed) ours() bool { return p.Module != nil && p.Module.Path == module }

// A graph has every package of the module and all they import, by path.
type graph map[string]*listed

// name is the path of a package within the module, "." for the root.
func name(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

// loadGraph asks the go command for the graph as it is on one system: files
// for another system import other packages.
func loadGraph(t *testing.T, goos string) graph {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Dir,Standard,Module,Imports,Error", module+"/...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	g := graph{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		if p.Error != nil && p.ours() && !onlyTests(p.Error.Err) {
			t.Errorf("%s: %s", p.ImportPath, p.Error.Err)
		}
		g[p.ImportPath] = &p
	}
	if g[module] == nil {
		t.Fatalf("go list did not name %s", module)
	}
	return g
}

func onlyTests(message string) bool {
	return strings.Contains(message, "no non-test Go files") || strings.Contains(message, "build constraints exclude all Go files")
}

// A source is one parsed file. Its path is relative to the module, with slashes.
type source struct {
	path string
	fset *token.FileSet
	file *ast.File
}

// dir is the folder of the file, "." for the root.
func (s *source) dir() string {
	if i := strings.LastIndexByte(s.path, '/'); i >= 0 {
		return s.path[:i]
	}
	return "."
}

func (s *source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// at tells where a node stands.
func (s *source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// parse reads one file. It takes the text where there is no such file.
func parse(path string, text any) (*source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &source{path: path, fset: fset, file: file}, nil
}

// loadSources parses every Go file of the module, whatever system it is for.
var loadSources = sync.OnceValues(func() ([]*source, error) {
	root := filepath.Join("..", "..")
	var all []*source
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); n == "node_modules" || n == "testdata" || (path != root && strings.HasPrefix(n, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(rel), text)
		if err != nil {
			return err
		}
		all = append(all, s)
		return nil
	})
	return all, err
})

func sources(t *testing.T) []*source {
	t.Helper()
	all, err := loadSources()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// fixture parses a file that exists only in a test.
func fixture(t *testing.T, path, text string) *source {
	t.Helper()
	s, err := parse(path, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// report fails the test with what a rule found in the module.
func report(t *testing.T, faults []string) {
	t.Helper()
	for _, f := range faults {
		t.Error(f)
	}
}

// expect checks what a rule found in a fixture: one fault for each want, in
// order, and each with that text in it.
func expect(t *testing.T, faults []string, want ...string) {
	t.Helper()
	for i := range max(len(faults), len(want)) {
		switch {
		case i >= len(faults):
			t.Errorf("not found: %s", want[i])
		case i >= len(want):
			t.Errorf("found without cause: %s", faults[i])
		case !strings.Contains(faults[i], want[i]):
			t.Errorf("found %q, want %q in it", faults[i], want[i])
		}
	}
}

package scaffold

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
)

// A module has the path and the requirements of a go.mod.
type module struct {
	dir      string
	path     string
	versions map[string]string // of what it requires
}

// findModule finds the module of a directory.
func findModule(dir string) (module, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return module{}, err
	}
	for {
		text, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil {
			m := module{dir: at, versions: required(text)}
			if found := regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)`).FindSubmatch(text); found != nil {
				m.path = string(found[1])
			}
			return m, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return module{}, err
		}
		parent := filepath.Dir(at)
		if parent == at {
			return module{}, fmt.Errorf(`there is no go.mod here or above; "bennu new NAME" makes a program, "go mod init" a module`)
		}
		at = parent
	}
}

// A pkg is the package in a directory.
type pkg struct {
	name  string
	files map[string]*ast.File // by path, tests of the package among them
}

// readPackage parses the Go files of a directory. Without any the package is named after
// the directory, or main at the root of the module.
func readPackage(dir string, mod module) (*pkg, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	p := &pkg{name: strings.ReplaceAll(filepath.Base(at), "-", "_"), files: map[string]*ast.File{}}
	if at == mod.dir {
		p.name = "main"
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	named := ""
	for _, path := range paths {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w", path, err)
		}
		name := strings.TrimSuffix(f.Name.Name, "_test")
		if ignored(f) {
			continue
		}
		if named != "" && name != named {
			return nil, fmt.Errorf("%s has the packages %s and %s; name another directory with --dir", dir, named, name)
		}
		named = name
		if f.Name.Name == name { // those of package x_test are apart
			p.files[path] = f
		}
	}
	if named != "" {
		p.name = named
	}
	if !token.IsIdentifier(p.name) {
		return nil, fmt.Errorf("%q cannot be the name of a package; name another directory with --dir", p.name)
	}
	return p, nil
}

// ignored tells files that no build has.
func ignored(f *ast.File) bool {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if x, err := constraint.Parse(c.Text); err == nil && c.Pos() < f.Package && !x.Eval(func(tag string) bool { return tag != "ignore" }) {
				return true
			}
		}
	}
	return false
}

// clash returns an error if the new files declare a name that Go or the package has already.
func (p *pkg) clash(files []file) error {
	declares, imports := map[string]string{}, map[string]string{}
	all := maps.Clone(p.files)
	for _, made := range files {
		f, err := parser.ParseFile(token.NewFileSet(), made.path, made.text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all[made.path] = f // in place of one that is to be overwritten
	}
	isMade := func(path string) bool { return slices.ContainsFunc(files, func(f file) bool { return f.path == path }) }
	for path, f := range all {
		for _, name := range imported(f) {
			imports[name] = path
		}
		if !isMade(path) {
			for _, name := range declared(f) {
				declares[name] = path
			}
		}
	}
	for _, made := range files {
		f := all[made.path]
		for _, name := range declared(f) {
			switch {
			case types.Universe.Lookup(name) != nil, name == "init", name == "main" && p.name == "main":
				return cli.Usagef("%s is a word of Go; take another name, such as %[1]s_room", name)
			case declares[name] != "":
				return fmt.Errorf("%s is declared in %s already; take another name", name, declares[name])
			case imports[name] != "":
				return fmt.Errorf("%s is a package that %s imports; take another name", name, imports[name])
			}
		}
		for _, name := range imported(f) {
			if declares[name] != "" {
				return fmt.Errorf("the new file imports %s, and %s declares that; take another directory", name, declares[name])
			}
		}
		for _, name := range declared(f) {
			declares[name] = made.path
		}
	}
	return nil
}

// declared are the names at the top of a file, but for functions init, of which a package
// may have several.
func declared(f *ast.File) (names []string) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name != "init" && d.Name.Name != "_" {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
				case *ast.ValueSpec:
					for _, n := range s.Names {
						if n.Name != "_" {
							names = append(names, n.Name)
						}
					}
				}
			}
		}
	}
	return names
}

// imported are the names under which a file imports packages.
func imported(f *ast.File) (names []string) {
	for _, i := range f.Imports {
		if i.Name != nil {
			if n := i.Name.Name; n != "_" && n != "." {
				names = append(names, n)
			}
			continue
		}
		if p, err := strconv.Unquote(i.Path.Value); err == nil {
			names = append(names, path.Base(p))
		}
	}
	return names
}

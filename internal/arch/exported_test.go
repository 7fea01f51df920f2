package arch

import (
	"flag"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the lists in testdata/exported anew")

// exportedDir has a list of exported names for each package that users can import, so that
// a new name is a decision. A line is a kind and a name.
const exportedDir = "testdata/exported"

// maxExported bounds the names of all lists together: constants, functions, methods, types and
// variables. Not counted are fields, methods that an interface asks for, and uncounted packages.
// Lower it when names go.
const maxExported = 472

// uncounted are packages for authors of an extension, which no program that uses bennu imports.
var uncounted = []string{"transport/transporttest", "history/historytest"}

// notForUsers are folders of importable packages that are no part of the library.
var notForUsers = []string{"examples/...", "measure/...", "test/..."}

// forUsers reports whether a package is one that users import.
func forUsers(s *source) bool {
	return !s.isTest() && s.file.Name.Name != "main" && !slices.Contains(strings.Split(s.dir(), "/"), "internal") &&
		!slices.ContainsFunc(notForUsers, func(p string) bool { return fits(p, s.dir()) })
}

// exported gives the exported names of each package for users, sorted and each once: a
// name may be declared for several systems.
func exported(all []*source) map[string][]string {
	names := map[string][]string{}
	for _, s := range all {
		if !forUsers(s) {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				names[s.dir()] = append(names[s.dir()], exportedFunc(d)...)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					names[s.dir()] = append(names[s.dir()], exportedSpec(d.Tok.String(), spec)...)
				}
			}
		}
	}
	for dir, list := range names {
		slices.Sort(list)
		names[dir] = slices.Compact(list)
	}
	return names
}

func exportedFunc(d *ast.FuncDecl) []string {
	switch {
	case !d.Name.IsExported():
		return nil
	case d.Recv == nil:
		return []string{"func " + d.Name.Name}
	}
	r := receiver(d.Recv.List[0].Type)
	if !ast.IsExported(r) {
		return nil
	}
	return []string{"method " + r + "." + d.Name.Name}
}

// exportedSpec gives the names of one line of a declaration. With a type come its fields,
// or the methods that the interface asks for.
func exportedSpec(kind string, spec ast.Spec) (names []string) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, n := range spec.Names {
			if n.IsExported() {
				names = append(names, kind+" "+n.Name)
			}
		}
	case *ast.TypeSpec:
		if !spec.Name.IsExported() {
			return nil
		}
		names = []string{kind + " " + spec.Name.Name}
		switch t := spec.Type.(type) {
		case *ast.StructType:
			names = append(names, members("field", spec.Name.Name, t.Fields)...)
		case *ast.InterfaceType:
			names = append(names, members("interface", spec.Name.Name, t.Methods)...)
		}
	}
	return names
}

func members(kind, of string, list *ast.FieldList) (names []string) {
	for _, f := range list.List {
		idents := f.Names
		if len(idents) == 0 { // embedded
			t := f.Type
			if p, ok := t.(*ast.StarExpr); ok {
				t = p.X
			}
			if sel, ok := t.(*ast.SelectorExpr); ok {
				idents = []*ast.Ident{sel.Sel}
			} else {
				idents = []*ast.Ident{ast.NewIdent(receiver(t))}
			}
		}
		for _, n := range idents {
			if n.IsExported() {
				names = append(names, kind+" "+of+"."+n.Name)
			}
		}
	}
	return names
}

// counted reports whether a line counts for maxExported: top-level names and methods do.
func counted(line string) bool {
	return !strings.HasPrefix(line, "field ") && !strings.HasPrefix(line, "interface ")
}

// exportedChanges compares the names in the code with the lists.
func exportedChanges(code, lists map[string][]string) (faults []string) {
	dirs := maps.Clone(code)
	maps.Copy(dirs, lists)
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		for _, n := range code[dir] {
			if !slices.Contains(lists[dir], n) {
				faults = append(faults, fmt.Sprintf("%s: new: %s", dir, n))
			}
		}
		for _, n := range lists[dir] {
			if !slices.Contains(code[dir], n) {
				faults = append(faults, fmt.Sprintf("%s: gone: %s", dir, n))
			}
		}
	}
	return faults
}

// listFile is the file with the list of a package; that of the root is bennu.txt.
func listFile(dir string) string {
	if dir == "." {
		dir = "bennu"
	}
	return filepath.Join(filepath.FromSlash(exportedDir), filepath.FromSlash(dir)+".txt")
}

// readLists reads what writeLists has written.
func readLists(t *testing.T) map[string][]string {
	t.Helper()
	lists := map[string][]string{}
	err := filepath.WalkDir(exportedDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(exportedDir, path)
		if err != nil {
			return err
		}
		dir := strings.TrimSuffix(filepath.ToSlash(rel), ".txt")
		if dir == "bennu" {
			dir = "."
		}
		lists[dir] = strings.Split(strings.TrimSpace(string(text)), "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lists
}

func writeLists(t *testing.T, code map[string][]string) {
	t.Helper()
	if err := os.RemoveAll(exportedDir); err != nil {
		t.Fatal(err)
	}
	for dir, list := range code {
		file := listFile(dir)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Join(list, "\n")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExported(t *testing.T) {
	code := exported(sources(t))
	if *update {
		writeLists(t, code)
	}
	changes := exportedChanges(code, readLists(t))
	report(t, changes)
	if len(changes) > 0 {
		t.Error("If this is meant, run go test ./internal/arch -run TestExported -update, and write into CHANGELOG.md what to use instead of a name that is gone.")
	}
	total := 0
	for _, dir := range slices.Sorted(maps.Keys(code)) {
		n := 0
		for _, line := range code[dir] {
			if counted(line) {
				n++
			}
		}
		if slices.Contains(uncounted, dir) {
			t.Logf("%4d %s, not counted", n, dir)
			continue
		}
		t.Logf("%4d %s", n, dir)
		total += n
	}
	t.Logf("%4d in all", total)
	if total > maxExported {
		t.Errorf("%d exported names, which is more than %d: users have to read each of them", total, maxExported)
	}
}

func TestExportedNames(t *testing.T) {
	code := exported([]*source{
		fixture(t, "a/a.go", `package a
const A, b = 1, 2
var C = 3
func F() {}
func g() {}
type T[X any] struct { U; *p.V; W, x int }
func (*T[X]) M() {}
func (T[X]) n() {}
type t struct{ Y int }
func (t) N() {}
type I interface { F(); g() }
type L = T[int]
`),
		fixture(t, "a/a_linux.go", "package a\nfunc F() {}"),
		fixture(t, "a/a_test.go", "package a\nfunc TestF() {}"),
		fixture(t, "a/internal/b/b.go", "package b\nfunc F() {}"),
		fixture(t, "cmd/c/c.go", "package main\nfunc F() {}"),
		fixture(t, "examples/d/d.go", "package d\nfunc F() {}"),
	})
	want := map[string][]string{"a": {
		"const A", "field T.U", "field T.V", "field T.W", "func F", "interface I.F", "method T.M", "type I", "type L", "type T", "var C",
	}}
	expect(t, exportedChanges(code, want))
	expect(t, exportedChanges(code, map[string][]string{"a": append(want["a"][1:], "func G"), "b": {"func H"}}),
		"a: new: const A", "a: gone: func G", "b: gone: func H")
}

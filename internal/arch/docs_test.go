package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// packageComments finds packages without a comment, or with more than one: the
// documentation would show them glued together. A package that has only tests keeps
// its comment in one of them.
func packageComments(all []*source) (faults []string) {
	byDir := map[string][]*source{}
	for _, s := range all {
		byDir[s.dir()] = append(byDir[s.dir()], s)
	}
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		files := byDir[dir]
		if prod := slices.DeleteFunc(slices.Clone(files), (*source).isTest); len(prod) > 0 {
			files = prod
		}
		var with []string
		for _, s := range files {
			if s.file.Doc != nil {
				with = append(with, s.path)
			}
		}
		switch {
		case len(with) == 0:
			faults = append(faults, fmt.Sprintf("package in %s has no comment", dir))
		case len(with) > 1:
			faults = append(faults, fmt.Sprintf("package in %s has several comments: %s", dir, strings.Join(with, ", ")))
		}
	}
	return faults
}

// known are methods that say by their name which interface of the standard library
// they are for, and so need no comment of their own.
var known = []string{"Error", "Unwrap", "String", "ServeHTTP", "MarshalJSON", "UnmarshalJSON", "LogValue"}

// exportedComments finds exported names without a comment. One comment may stand
// over a whole group of constants, variables or types, or beside its line.
func exportedComments(all []*source) (faults []string) {
	for _, s := range all {
		if s.isTest() || s.file.Name.Name == "main" {
			continue
		}
		missing := func(n ast.Node, name string) {
			faults = append(faults, fmt.Sprintf("%s: %s has no comment", s.at(n), name))
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name, public := d.Name.Name, d.Name.IsExported()
				if d.Recv != nil {
					r := receiver(d.Recv.List[0].Type)
					public = public && ast.IsExported(r) && !slices.Contains(known, name)
					name = r + "." + name
				}
				if public && d.Doc == nil {
					missing(d, name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					for _, n := range uncommented(d, spec) {
						missing(n, n.Name)
					}
				}
			}
		}
	}
	return faults
}

// uncommented gives the exported names that a part of a declaration introduces
// when nothing there says what they are.
func uncommented(d *ast.GenDecl, spec ast.Spec) (names []*ast.Ident) {
	if d.Doc != nil && d.Tok != token.IMPORT {
		return nil
	}
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Doc == nil && spec.Comment == nil {
			names = []*ast.Ident{spec.Name}
		}
	case *ast.ValueSpec:
		if spec.Doc == nil && spec.Comment == nil {
			names = spec.Names
		}
	}
	return slices.DeleteFunc(slices.Clone(names), func(n *ast.Ident) bool { return !n.IsExported() })
}

// receiver is the name of the type that a method belongs to.
func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.ParenExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

func TestComments(t *testing.T) {
	report(t, packageComments(sources(t)))
	report(t, exportedComments(sources(t)))
}

func TestPackageComments(t *testing.T) {
	with := func(path string) *source { return fixture(t, path, "// Package a is here.\npackage a") }
	without := func(path string) *source { return fixture(t, path, "//go:build linux\n\npackage a") }

	expect(t, packageComments([]*source{with("a/a.go"), without("a/b.go"), with("a/a_test.go"), with("b/b_test.go")}))
	expect(t, packageComments([]*source{without("a/a.go"), with("a/a_test.go")}), "package in a has no comment")
	expect(t, packageComments([]*source{with("a.go"), with("b.go")}), "package in . has several comments: a.go, b.go")
}

func TestExportedComments(t *testing.T) {
	expect(t, exportedComments([]*source{fixture(t, "a.go", `package a
// F is one.
func F() {}
func f() {}
type t struct{}
func (t) M() {}
// E is one.
type E struct{}
func (E) Error() string { return "" }
// A group.
const (
	A = 1
	B = 2
)
var (
	C = 1 // C is one.
	c = 2
)
`), fixture(t, "a_test.go", "package a\nfunc TestF() {}"), fixture(t, "main.go", "package main\nfunc F() {}")}))

	expect(t, exportedComments([]*source{fixture(t, "a.go", `package a
func F() {}
// G is one.
type G[T any] struct{}
func (*G[T]) M() {}
type H int
var I, j = 1, 2
const (
	// K is one.
	K = 1
	L = 2
)
`)}), "a.go:2: F has", "a.go:5: G.M has", "a.go:6: H has", "a.go:7: I has", "a.go:11: L has")
}

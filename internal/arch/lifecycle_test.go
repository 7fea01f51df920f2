package arch

import (
	"fmt"
	"go/ast"
	"testing"
)

// stateWriters finds assignments to a field named state in the root package, outside of the file
// that has the life of a channel: an end that does not go through it would leave something behind.
func stateWriters(all []*source) (faults []string) {
	for _, s := range all {
		if s.isTest() || s.dir() != "." || s.path == "lifecycle.go" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if a, ok := n.(*ast.AssignStmt); ok {
				for _, to := range a.Lhs {
					if field, ok := to.(*ast.SelectorExpr); ok && field.Sel.Name == "state" {
						faults = append(faults, fmt.Sprintf("%s: sets the state of a channel; let a function of lifecycle.go do it", s.at(a)))
					}
				}
			}
			return true
		})
	}
	return faults
}

func TestStateWriters(t *testing.T) {
	report(t, stateWriters(sources(t)))

	const text = "package a\nfunc f(c *channel) {\n\tif c.state == 1 {\n\t\tc.n, c.state = 1, 2\n\t}\n\tstate := c.state\n}\n"
	expect(t, stateWriters([]*source{fixture(t, "a.go", text)}), "a.go:4: sets the state")
	expect(t, stateWriters([]*source{fixture(t, "lifecycle.go", text)}))
	expect(t, stateWriters([]*source{fixture(t, "b/a.go", text)}))
	expect(t, stateWriters([]*source{fixture(t, "a_test.go", text)}))
}

package arch

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What the root's go.mod requires, every program that imports bennu lists as its own. What
// only the measuring programs need is therefore required by their module alone.

// A requirement is a module that a go.mod names.
type requirement struct {
	Path     string
	Indirect bool
}

// measuring is the section of the page of dependencies that is not about the root's module.
const measuring = "## In the measuring programs"

var moduleName = regexp.MustCompile("`([a-z0-9.]+\\.[a-z]+/[^` ]+)`")

// explained lists the modules that the page names, those of the measuring programs apart.
func explained(page string) (root, measure []string) {
	for section := range strings.SplitSeq(page, "\n## ") {
		var names []string
		for _, m := range moduleName.FindAllStringSubmatch(section, -1) {
			names = append(names, m[1])
		}
		if strings.HasPrefix("## "+section, measuring) {
			measure = append(measure, names...)
		} else {
			root = append(root, names...)
		}
	}
	return root, measure
}

// requirements finds modules that the root requires and the page does not explain, or has
// under the measuring programs, and those of the measuring programs that it does not explain.
func requirements(root, measure []requirement, page string) (faults []string) {
	rootNames, measureNames := explained(page)
	for _, r := range root {
		switch {
		case slices.Contains(measureNames, r.Path) && !slices.Contains(rootNames, r.Path):
			faults = append(faults, fmt.Sprintf("go.mod requires %s, which only measure may", r.Path))
		case !r.Indirect && !slices.Contains(rootNames, r.Path):
			faults = append(faults, fmt.Sprintf("go.mod requires %s: say why in docs/dependencies.md", r.Path))
		}
	}
	for _, r := range measure {
		if !r.Indirect && r.Path != module && !slices.Contains(rootNames, r.Path) && !slices.Contains(measureNames, r.Path) {
			faults = append(faults, fmt.Sprintf("measure/go.mod requires %s: say why in docs/dependencies.md", r.Path))
		}
	}
	return faults
}

// required reads a go.mod.
func required(t *testing.T, path string) []requirement {
	t.Helper()
	out, err := exec.Command("go", "mod", "edit", "-json", path).Output()
	if err != nil {
		t.Fatalf("go mod edit -json %s: %v", path, err)
	}
	var file struct{ Require []requirement }
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	return file.Require
}

func TestModules(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	report(t, requirements(required(t, filepath.Join(root, "go.mod")), required(t, filepath.Join(root, "measure", "go.mod")), string(page)))
}

func TestRequirements(t *testing.T) {
	const page = "# Dependencies\n\n## In the library\n\n| `example.com/codec` v1.5.0 | reads `io.Reader` |\n| `example.com/sys` | |\n\n" +
		measuring + " (`measure`)\n\n| `example.com/plot` v0.1.0 | draws with `example.com/fonts` |\n\n## In the tests\n\n| `example.com/pty` | |\n"
	direct := func(paths ...string) (all []requirement) {
		for _, p := range paths {
			all = append(all, requirement{Path: p})
		}
		return all
	}
	expect(t, requirements(append(direct("example.com/codec", "example.com/pty"), requirement{"example.com/deep", true}),
		append(direct(module, "example.com/plot", "example.com/sys"), requirement{"example.com/fonts", true}), page))

	expect(t, requirements(append(direct("example.com/plot", "example.com/new"), requirement{"example.com/fonts", true}), direct("example.com/other"), page),
		"go.mod requires example.com/plot, which only measure may", "go.mod requires example.com/new: say why",
		"go.mod requires example.com/fonts, which only measure may", "measure/go.mod requires example.com/other: say why")
}

package arch

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// programs are the folders whose code may print and exit: it is the user's own
// process there, or a test's. Everywhere else the caller decides about both.
var programs = []string{"cmd/...", "examples/...", "measure/...", "test/...", "conformance/fixture", "internal/waittest"}

// mayPanic lists the files that call panic, each with the reason.
var mayPanic = map[string]string{
	"client/events.go":                     "a callback for an event that never comes",
	"client/resume.go":                     "Resume after Join, which would not resume",
	"history/topics.go":                    "a mistake in a topic pattern, seen at start",
	"internal/conformance/app/app.go":      "the cases ask for a connect that panics",
	"internal/conformance/app/room.go":     "the cases ask for joins and handlers that panic",
	"authenticate.go":                      "Authenticate without a function, seen at start",
	"channel.go":                           "a nil Channel, where the call returns no error",
	"channel_task.go":                      "a nil Channel, where the call returns no error",
	"define.go":                            "a mistake in a registration, seen at start",
	"endpoint.go":                          "a mistake in a mount, seen at start",
	"mounting.go":                          "a mistake in a mount, seen at start",
	"middleware.go":                        "Around without a function, seen at start; passes on the panics of callbacks",
	"pattern.go":                           "a mistake in a topic pattern, seen at start",
	"shutdown.go":                          "OnShutdown without a function, seen at start",
	"subscribe.go":                         "Subscribe without a function would fail at each broadcast",
	"payload.go":                           "an In with a Validate that is never called, seen at start",
	"recover.go":                           "passes on http.ErrAbortHandler, which belongs to net/http, or ends an answer with it",
	"socket.go":                            "Assign after Connect is a mistake in the program, and would be a data race",
	"socket_handler.go":                    "a pattern registered twice, seen at start",
	"internal/link/mount.go":               "a mistake in a transport, seen where it is made; passes on http.ErrAbortHandler, which belongs to net/http",
	"internal/seam/refuse.go":              "passes on http.ErrAbortHandler, which belongs to net/http",
	"transport/transporttest/panicking.go": "a check has methods panic",
	"transport/transporttest/refusing.go":  "a check has Connect panic",
	"transport/origin.go":                  "OriginFunc without a function is a mistake in the program, seen at start",
}

// silence finds library code that writes to the process's own output, ends the
// process, or panics in a file that allowed does not list. A listed file that no
// longer panics is a fault too.
func silence(all []*source, allowed map[string]string) (faults []string) {
	panics := map[string]bool{}
	for _, s := range all {
		if s.isTest() || slices.ContainsFunc(programs, func(p string) bool { return fits(p, s.dir()) }) {
			continue
		}
		imports := importNames(s.file)
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch callee := called(call, imports); {
			case callee == "panic":
				panics[s.path] = true
				if allowed[s.path] == "" {
					faults = append(faults, fmt.Sprintf("%s: panic in a file that mayPanic does not list", s.at(call)))
				}
			case callee == "print", callee == "println", callee == "os.Exit", strings.HasPrefix(callee, "fmt.Print"),
				// log.New is an answer to an API that wants a *log.Logger; the
				// rest of the package writes to the process's own output.
				strings.HasPrefix(callee, "log.") && callee != "log.New":
				faults = append(faults, fmt.Sprintf("%s: library code calls %s", s.at(call), callee))
			}
			return true
		})
	}
	for _, path := range slices.Sorted(maps.Keys(allowed)) {
		if !panics[path] {
			faults = append(faults, fmt.Sprintf("%s is listed in mayPanic and does not panic", path))
		}
	}
	return faults
}

// called names what a call calls: "panic", or "fmt.Print" whatever name the
// file gave to the import. It is empty for everything else.
func called(call *ast.CallExpr, imports map[string]string) string {
	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && imports[x.Name] != "" {
			return imports[x.Name] + "." + f.Sel.Name
		}
	}
	return ""
}

// importNames maps the names under which a file knows packages to their paths.
func importNames(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		local := path[strings.LastIndexByte(path, '/')+1:]
		if spec.Name != nil {
			local = spec.Name.Name
		}
		names[local] = path
	}
	return names
}

// safety finds unsafe code: the package, and directives that reach around the
// type system. Tests are held to it as well.
func safety(all []*source) (faults []string) {
	for _, s := range all {
		for _, spec := range s.file.Imports {
			if spec.Path.Value == `"unsafe"` {
				faults = append(faults, fmt.Sprintf("%s: imports unsafe", s.at(spec)))
			}
		}
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:linkname ") {
					faults = append(faults, fmt.Sprintf("%s: uses go:linkname", s.at(c)))
				}
			}
		}
	}
	return faults
}

func TestCalls(t *testing.T) {
	report(t, silence(sources(t), mayPanic))
	report(t, safety(sources(t)))
}

func TestSilence(t *testing.T) {
	loud := `package a
import "fmt"
import logger "log"
import "os"
func f(log interface{ Print() }) {
	log.Print()
	_ = fmt.Sprint()
	_ = logger.New(nil, "", 0)
	defer func() { recover() }()
	fmt.Println()
	logger.Fatal()
	os.Exit(1)
	println()
	panic("no")
}`
	expect(t, silence([]*source{fixture(t, "a/a.go", loud)}, map[string]string{"a/b.go": "gone"}),
		"a/a.go:10: library code calls fmt.Println", "a/a.go:11: library code calls log.Fatal", "a/a.go:12: library code calls os.Exit",
		"a/a.go:13: library code calls println", "a/a.go:14: panic in a file", "a/b.go is listed in mayPanic")

	expect(t, silence([]*source{fixture(t, "a/a_test.go", loud), fixture(t, "cmd/x/x.go", loud), fixture(t, "conformance/fixture/main.go", loud)}, nil))
	expect(t, silence([]*source{fixture(t, "a/a.go", "package a\nfunc f() { panic(1) }")}, map[string]string{"a/a.go": "a mistake of the caller"}))
}

func TestSafety(t *testing.T) {
	expect(t, safety([]*source{fixture(t, "a.go", "package a\n// unsafe is not needed\n")}))
	expect(t, safety([]*source{fixture(t, "a_test.go", "package a\nimport \"unsafe\"\nvar _ unsafe.Pointer\n//go:linkname x y\n")}),
		"a_test.go:2: imports unsafe", "a_test.go:4: uses go:linkname")
}

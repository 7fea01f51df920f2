package arch

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// layers says for each package of the module which others it may import,
// tests aside. A pattern may end in "/..." and then stands for the package and all
// below it; the first pattern that fits a package decides.
var layers = []struct {
	pattern string
	may     []string
}{
	{"internal/subscribertest", []string{"internal/waittest", "pubsub"}}, // for tests of pubsub and its adapters
	{"internal/tracker", []string{"internal/...", "pubsub"}},             // the store of package presence
	{"internal/ability", []string{"wire", "transport"}},                  // between a transport and its sockets
	{"internal/follow", []string{"internal/...", "pubsub"}},              // the followers of package history
	{"internal/redisconn", []string{"internal/...", "pubsub"}},           // for packages with Redis; pubsub has errors
	{"internal/clientwire", []string{"internal/...", "wire"}},            // the client's end of wire
	{"internal/vsn", []string{"internal/...", "wire"}},
	// The runner of the cases tests any server, so it knows nothing of this one.
	{"internal/conformance", nil},
	{"internal/conformance/app", []string{"..."}},
	{"conformance/fixture", []string{"..."}},
	{"internal/frame", []string{"wire"}},
	// The interfaces between sockets and transports.
	{"internal/seam", []string{"internal/...", "wire", "transport", "pubsub"}},
	{"internal/link", []string{"internal/...", "wire", "transport"}},
	{"internal/...", []string{"internal/..."}},
	{"wire", []string{"internal/..."}},
	{"transport", []string{"internal/...", "wire"}},
	// The suite for transports mounts them at an endpoint.
	{"transport/transporttest", []string{"internal/...", "wire", "transport", "."}},
	// A request of long polling may land on a node that does not have its session.
	{"transport/longpoll", []string{"internal/...", "wire", "transport", "pubsub"}},
	{"transport/...", []string{"internal/...", "wire", "transport"}},
	{"pubsub", []string{"internal/..."}},
	{"pubsub/...", []string{"internal/...", "pubsub", "pubsub/internal/..."}},
	{"history", []string{"internal/...", "pubsub"}},
	{"history/...", []string{"internal/...", "pubsub", "history"}},
	{".", []string{"internal/...", "wire", "transport/...", "pubsub", "history"}},
	{"presence", []string{"internal/...", "wire", "pubsub", "."}},
	{"client", []string{"internal/...", "wire"}},
	{"client/presence", []string{"internal/...", "wire", "client"}},
	{"token", nil},
	{"channeltest", []string{"internal/...", "wire", "transport", "pubsub", "."}},
	{"examples/...", []string{"internal/...", "wire", "transport/...", "pubsub/...", "history/...", ".", "presence", "client", "client/presence", "token", "channeltest", "examples/..."}},
	{"cmd/...", []string{"..."}},
	{"test/...", []string{"..."}},
}

func fits(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	return pkg == pattern
}

// importDirection finds imports within the module that layers does not allow,
// and packages that it does not know.
func importDirection(g graph) (faults []string) {
	for _, p := range g.sorted() {
		if !p.ours() {
			continue
		}
		from := name(p.ImportPath)
		i := slices.IndexFunc(layers, func(l struct {
			pattern string
			may     []string
		}) bool {
			return fits(l.pattern, from)
		})
		if i < 0 {
			faults = append(faults, fmt.Sprintf("package %s is in no layer: say in layers what it may import", from))
			continue
		}
		for _, imported := range p.Imports {
			to := g[imported]
			if to == nil || !to.ours() {
				continue
			}
			if !slices.ContainsFunc(layers[i].may, func(pattern string) bool { return fits(pattern, name(imported)) }) {
				faults = append(faults, fmt.Sprintf("%s imports %s, which is not below it", from, name(imported)))
			}
		}
	}
	return faults
}

// reach says what packages may reach beyond the standard library, however far away.
// The core is what a user of bennu compiles in any case: such a user must not be
// made to compile a broker. Packages that are not listed may reach anything.
var reach = []struct{ packages, modules []string }{
	{[]string{"transport/transporttest"}, []string{"github.com/gobwas/ws", "github.com/gobwas/httphead", "golang.org/x/sys", "go.uber.org/goleak"}},
	{[]string{".", "wire", "transport/...", "pubsub", "history"}, []string{"github.com/gobwas/ws", "github.com/gobwas/httphead", "golang.org/x/sys"}},
	{[]string{"token"}, []string{"golang.org/x/crypto", "golang.org/x/sys"}},
	{[]string{"client", "client/presence"}, []string{"github.com/coder/websocket"}},
}

// modulesFor are the modules that a package may reach; free says that it may reach
// all.
func modulesFor(pkg string) (modules []string, free bool) {
	for _, r := range reach {
		if slices.ContainsFunc(r.packages, func(pattern string) bool { return fits(pattern, pkg) }) {
			return r.modules, false
		}
	}
	return nil, true
}

// foreignModules finds modules that a package reaches and must not, with one way
// that leads there.
func foreignModules(g graph) (faults []string) {
	for _, p := range g.sorted() {
		modules, free := modulesFor(name(p.ImportPath))
		if !p.ours() || free {
			continue
		}
		via := map[string]string{p.ImportPath: ""}
		told := map[string]bool{}
		for queue := []string{p.ImportPath}; len(queue) > 0; queue = queue[1:] {
			at := g[queue[0]]
			if at == nil {
				continue
			}
			if m := at.Module; m != nil && !at.ours() && !slices.Contains(modules, m.Path) && !told[m.Path] {
				told[m.Path] = true
				faults = append(faults, fmt.Sprintf("%s reaches module %s: %s", name(p.ImportPath), m.Path, way(via, at.ImportPath)))
			}
			for _, next := range at.Imports {
				if _, seen := via[next]; !seen {
					via[next] = at.ImportPath
					queue = append(queue, next)
				}
			}
		}
	}
	return faults
}

// way writes how the search came to a package.
func way(via map[string]string, to string) string {
	steps := []string{to}
	for via[to] != "" {
		to = via[to]
		steps = append(steps, to)
	}
	slices.Reverse(steps)
	return strings.Join(steps, " → ")
}

func (g graph) sorted() []*listed {
	all := make([]*listed, 0, len(g))
	for _, path := range slices.Sorted(maps.Keys(g)) {
		all = append(all, g[path])
	}
	return all
}

func TestImports(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		t.Run(goos, func(t *testing.T) {
			t.Parallel()
			g := loadGraph(t, goos)
			report(t, importDirection(g))
			report(t, foreignModules(g))
		})
	}
}

// graphOf builds a graph from lines "package: imports". Paths with a dot in
// their first part, such as "example.com/m/p", belong to the module of their first
// two parts, those that start with "std/" to the standard library, all others
// to ours.
func graphOf(lines ...string) graph {
	g := graph{}
	full := func(p string) string {
		first, _, _ := strings.Cut(p, "/")
		switch {
		case p == ".":
			return module
		case first == "std" || strings.Contains(first, "."):
			return p
		}
		return module + "/" + p
	}
	for _, line := range lines {
		pkg, imports, _ := strings.Cut(line, ":")
		p := &listed{ImportPath: full(pkg)}
		switch first, _, _ := strings.Cut(pkg, "/"); {
		case first == "std":
			p.Standard = true
		case pkg != "." && strings.Contains(first, "."):
			p.Module = &struct{ Path string }{path.Dir(pkg)}
		default:
			p.Module = &struct{ Path string }{module}
		}
		for _, i := range strings.Fields(imports) {
			p.Imports = append(p.Imports, full(i))
		}
		g[p.ImportPath] = p
	}
	return g
}

func TestImportDirection(t *testing.T) {
	allowed := graphOf("internal/a: internal/b std/fmt", "internal/b:", "wire: internal/a", "transport: wire internal/a",
		"transport/websocket: transport wire github.com/gobwas/ws/x", "pubsub: internal/a", ".: wire transport transport/websocket pubsub",
		"examples/hello: .", "cmd/bennu: examples/hello .", "client: wire")
	expect(t, importDirection(allowed))

	expect(t, importDirection(graphOf("wire: transport", "transport:")), "wire imports transport")
	expect(t, importDirection(graphOf("transport: transport/websocket", "transport/websocket:")), "transport imports transport/websocket")
	expect(t, importDirection(graphOf("internal/a: wire", "wire:")), "internal/a imports wire")
	expect(t, importDirection(graphOf("pubsub: wire", "wire:")), "pubsub imports wire")
	expect(t, importDirection(graphOf("client: .", ".:")), "client imports .")
	expect(t, importDirection(graphOf("wirebound:")), "wirebound is in no layer")
}

func TestForeignModules(t *testing.T) {
	expect(t, foreignModules(graphOf("transport/websocket: github.com/gobwas/ws/x", "github.com/gobwas/ws/x: std/io", "std/io:",
		"cmd/bennu: example.com/broker/p", "example.com/broker/p:")))

	expect(t, foreignModules(graphOf(".: internal/a", "internal/a: example.com/broker/p", "example.com/broker/p: example.com/broker/q", "example.com/broker/q:")),
		". reaches module example.com/broker: "+module+" → "+module+"/internal/a → example.com/broker/p")
	expect(t, foreignModules(graphOf("github.com/gobwas/ws/x: golang.org/y/z", "golang.org/y/z:", "transport/websocket: github.com/gobwas/ws/x")),
		"transport/websocket reaches module golang.org/y")
	expect(t, foreignModules(graphOf("token: golang.org/x/crypto/p", "golang.org/x/crypto/p:", "transport: golang.org/x/crypto/p")),
		"transport reaches module golang.org/x/crypto")
}

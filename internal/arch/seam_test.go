package arch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// apart are packages that must not reach others of the module, however far away, and why.
var apart = []struct{ from, to, why string }{
	{".", "transport/longpoll", "a program that does not list a transport does not compile it"},
	{"transport/websocket", "transport/longpoll", "a transport knows no other"},
	{"transport/longpoll", "transport/websocket", "a transport knows no other"},
}

// joined finds packages that reach what they must not, with one way that leads there.
func joined(g graph) (faults []string) {
	for _, a := range apart {
		start := module
		if a.from != "." {
			start += "/" + a.from
		}
		via := map[string]string{start: ""}
		for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
			at := g[queue[0]]
			if at == nil {
				continue
			}
			for _, next := range at.Imports {
				if _, seen := via[next]; !seen {
					via[next] = at.ImportPath
					queue = append(queue, next)
				}
			}
		}
		to := module + "/" + a.to
		if _, reached := via[to]; reached {
			faults = append(faults, fmt.Sprintf("%s reaches %s, and %s: %s", a.from, a.to, a.why, way(via, to)))
		}
	}
	return faults
}

func TestTransportsAreApart(t *testing.T) {
	report(t, joined(loadGraph(t, "linux")))

	expect(t, joined(graphOf(".: transport/websocket", "transport/websocket: internal/seam", "internal/seam: transport", "transport:",
		"transport/longpoll: internal/seam")))
	expect(t, joined(graphOf(".: internal/a", "internal/a: transport/longpoll", "transport/longpoll:")),
		". reaches transport/longpoll, and a program that does not list a transport does not compile it: "+module+" → "+module+"/internal/a → "+module+"/transport/longpoll")
	expect(t, joined(graphOf("transport/longpoll: transport/websocket")), "transport/longpoll reaches transport/websocket")
}

// spoken are words that name a transport, and the files of the root that may have them.
var spoken = map[string][]string{
	"websocket": {"mounting.go"}, // the transport of a socket that lists none
	"longpoll":  nil,
}

// transportsNamed finds files that name a transport and may not. A new transport must not need a
// change of the root.
func transportsNamed(files map[string]string) (faults []string) {
	for file, text := range files {
		for word, may := range spoken {
			if strings.Contains(text, word) && !slices.Contains(may, file) {
				faults = append(faults, fmt.Sprintf("%s names %s", file, word))
			}
		}
	}
	slices.Sort(faults)
	return faults
}

func TestRootNamesNoTransport(t *testing.T) {
	names, err := filepath.Glob("../../*.go")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	files := map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = string(text)
	}
	report(t, transportsNamed(files))

	expect(t, transportsNamed(map[string]string{"mounting.go": "websocket", "stats.go": "transport/longpoll", "socket.go": `"websocket"`}),
		"socket.go names websocket", "stats.go names longpoll")
}

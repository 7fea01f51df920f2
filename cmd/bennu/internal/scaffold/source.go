package scaffold

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
)

// A source is the version or the tree of bennu that a new program requires.
type source struct {
	version string
	dir     string // of a source tree, or "" when the version is published
}

// unpublished is the version that the go command gives a module without one.
const unpublished = "v0.0.0-00010101000000-000000000000"

// findSource returns the tree that --replace names, or without it the version of this command, or the
// tree in which the command was built.
func findSource(replace string) (source, error) {
	if replace != "" {
		dir, err := filepath.Abs(replace)
		if err != nil {
			return source{}, err
		}
		if !isBennu(dir) {
			return source{}, cli.Usagef("--replace %s: there is no go.mod of %s", dir, bennuPath)
		}
		return source{unpublished, dir}, nil
	}
	info, _ := debug.ReadBuildInfo()
	_, here, _, _ := runtime.Caller(0)
	return builtFrom(info, here)
}

// builtFrom returns the version or the tree from which this command was built. here is the path of one of
// its source files. info may be nil.
func builtFrom(info *debug.BuildInfo, here string) (source, error) {
	if info != nil {
		all := append([]*debug.Module{&info.Main}, info.Deps...)
		i := slices.IndexFunc(all, func(m *debug.Module) bool { return m.Path == bennuPath })
		// Only a published version has a checksum; a source tree has none.
		if i >= 0 && all[i].Sum != "" && all[i].Replace == nil {
			return source{version: all[i].Version}, nil
		}
	}
	const depth = 5 // cmd/bennu/internal/scaffold/source.go
	dir := here
	for range depth {
		dir = filepath.Dir(dir)
	}
	if !filepath.IsAbs(dir) || !isBennu(dir) {
		return source{}, cli.Usagef("this command does not know where it was built; name the source tree of %s with --replace DIR", bennuPath)
	}
	return source{unpublished, dir}, nil
}

func isBennu(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && bytes.HasPrefix(text, []byte("module "+bennuPath+"\n"))
}

// reached has the modules that a program with channels needs. A test fails when that changes. The go.sum
// of the tree has more, which only the tests of those modules need.
var reached = []string{"github.com/gobwas/httphead", "github.com/gobwas/ws", "golang.org/x/sys"}

// summed has the modules whose checksums such a program needs.
var summed = append([]string{"go.uber.org/goleak", "golang.org/x/crypto"}, reached...)

// requirements returns the lines of the tree's go.mod and go.sum that a new program needs to be built
// without a network.
func (s source) requirements() (indirect []string, sums []byte, err error) {
	if s.dir == "" {
		return nil, nil, nil
	}
	mod, err := os.ReadFile(filepath.Join(s.dir, "go.mod"))
	if err != nil {
		return nil, nil, err
	}
	sum, err := os.ReadFile(filepath.Join(s.dir, "go.sum"))
	if err != nil {
		return nil, nil, err
	}
	versions := required(mod)
	for _, path := range reached {
		if versions[path] == "" {
			return nil, nil, fmt.Errorf("%s does not require %s", filepath.Join(s.dir, "go.mod"), path)
		}
		indirect = append(indirect, path+" "+versions[path])
	}
	for line := range strings.Lines(string(sum)) {
		f := strings.Fields(line)
		if len(f) == 3 && slices.Contains(summed, f[0]) && strings.TrimSuffix(f[1], "/go.mod") == versions[f[0]] {
			sums = append(sums, line...)
		}
	}
	return indirect, sums, nil
}

// required returns the versions in a go.mod, by module.
func required(mod []byte) map[string]string {
	versions := map[string]string{}
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(f) >= 2 && strings.HasPrefix(f[1], "v") {
			versions[f[0]] = f[1]
		}
	}
	return versions
}

// replacement returns the path of the tree for a replace line, quoted if go.mod needs that.
func (s source) replacement() string {
	if strings.ContainsFunc(s.dir, func(c rune) bool { return strings.ContainsRune(" \t\"'`()[]{},", c) }) {
		return strconv.Quote(s.dir)
	}
	return s.dir
}

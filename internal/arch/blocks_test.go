package arch

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every block of code in the pages below is held to something that is run: it stands in
// the file that it names, or a test runs the block itself.

// pages are the documentation, by pattern.
var pages = []string{"README.md", "CONTRIBUTING.md", "RELEASE.md", "SECURITY.md", "docs/*.md", "examples/*/README.md"}

// kept are tests that hold blocks of a kind themselves.
var kept = map[string]string{
	"sh":      "TestShellBlocks in cmd/bennu: what it types exists",
	"console": "TestShellBlocks in cmd/bennu: what it types exists",
	"js":      "TestJavaScript in test/docs: Node runs it",
}

// marks are comments in front of a block that say which test writes it.
var marks = map[string]string{
	"help": "TestDocs in cmd/bennu",
	"run":  "TestDocs in cmd/bennu",
}

// free are blocks that nothing runs, by page and first line, each with the reason.
var free = map[[2]string]string{
	{"README.md", " bytes in ─► transport/websocket ─► receiver.go ─► dispatch.go ─► mailbox.go ─► executor.go ─► your handler"}:                                   "a picture",
	{"docs/architecture.md", "            client                                    other nodes"}:                                                                  "a picture",
	{"docs/architecture.md", "Broadcast ─► publisher ─► Store"}:                                                                                                    "a picture",
	{"docs/architecture.md", "Socket.mu ─► Channel.mu ─► replays.mu, the connection's own"}:                                                                        "a picture",
	{"README.md", "  bennu demo is at  http://127.0.0.1:4000"}:                                                                                                     "what the demo prints; its own tests hold that",
	{"docs/troubleshooting.md", `level=WARN msg="a page of a foreign origin was refused" reason=origin origin=https://app.example host=api.example mount=/socket`}: "a line of a log, shortened",
	{"docs/presence.md", `{"metas": 35000, "keys": 31000, "sample": {"user:1": {"metas": [{"phx_ref": "…", "name": "Ann"}]}}}`}:                                    "the form of a message, shortened",
	{"docs/history.md", `["7","e7k2m6x4:87544","room:1","bennu:resume",{"status":"recovered"}]`}:                                                                   "frames; TestResumeRecovered holds their form",
	{"docs/history.md", `[null,null,"room:1","said",{"_offset":"e7k2m6x4:87901","body":"hi"}]`}:                                                                    "a frame; TestKeptForms holds its form",
	{"examples/cluster/README.md", "apiVersion: v1"}:                                                                                                               "for Kubernetes, which the tests do not have",
	{"examples/cluster/README.md", "terminationGracePeriodSeconds: 45 # connections are closed over 30 s, so that clients do not all come back at once"}:           "for Kubernetes, which the tests do not have",
}

// A block is what stands between fences.
type block struct {
	mark, name string // of the comment in front of it: <!-- mark: name -->
	kind, code string
}

var fence = regexp.MustCompile("(?m)^(?:<!-- (\\w+)(?:: (.+?))? -->\n)?( *)```(\\S*)\n((?:.*\n)*?) *```$")

func blocks(text string) (all []block) {
	for _, f := range fence.FindAllStringSubmatch(text, -1) {
		all = append(all, block{f[1], f[2], f[4], f[5]})
	}
	return all
}

// loose finds blocks that nothing holds. read gives a file of the repository.
func loose(page, text string, read func(string) (string, error)) (faults []string) {
	found := blocks(text)
	if fences := len(regexp.MustCompile("(?m)^ *```").FindAllString(text, -1)); fences != 2*len(found) {
		faults = append(faults, fmt.Sprintf("%s has %d fences for %d blocks", page, fences, len(found)))
	}
	for _, b := range found {
		first, _, _ := strings.Cut(b.code, "\n")
		bad := func(what string) {
			faults = append(faults, fmt.Sprintf("%s: the block that begins with %q %s", page, first, what))
		}
		switch {
		case b.mark == "file" || b.mark == "output":
			source, err := read(b.name)
			switch {
			case err != nil:
				bad(err.Error())
			case strings.HasSuffix(b.name, ".tmpl"):
				// TestDocumentation in test/proxies fills it in and compares.
			case !contains(source, b):
				bad("is not in " + b.name)
			}
		case marks[b.mark] != "" && page == "docs/cli.md":
		case b.mark != "":
			bad("has a comment in front of it that no test knows: " + b.mark)
		case kept[b.kind] != "":
		case free[[2]string{page, first}] != "":
		default:
			bad("names no file: write <!-- file: PATH --> in the line before it, or say in free why it needs none")
		}
	}
	return faults
}

// contains reports whether a block stands in a file to the letter, with all its lines
// moved to the right by as many tabs. What a program prints stands in a comment.
func contains(source string, b block) bool {
	if b.mark == "output" {
		return strings.Contains(source, "\t// "+strings.ReplaceAll(strings.TrimSuffix(b.code, "\n"), "\n", "\n\t// "))
	}
	for _, tabs := range []string{"", "\t", "\t\t", "\t\t\t"} {
		if code := regexp.MustCompile("(?m)^(.)").ReplaceAllString(b.code, tabs+"$1"); strings.Contains("\n"+source, "\n"+code) {
			return true
		}
	}
	return false
}

func TestBlocks(t *testing.T) {
	root := filepath.Join("..", "..")
	read := func(name string) (string, error) {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		return string(text), err
	}
	for _, pattern := range pages {
		names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			page, err := filepath.Rel(root, name)
			if err != nil {
				t.Fatal(err)
			}
			page = path.Clean(filepath.ToSlash(page))
			text, err := read(page)
			if err != nil {
				t.Fatal(err)
			}
			report(t, loose(page, text, read))
		}
	}
}

func TestLooseBlocks(t *testing.T) {
	read := func(name string) (string, error) {
		if name != "a.go" {
			return "", os.ErrNotExist
		}
		return "package a\n\nfunc f() {\n\tg(1)\n\n\th(2)\n}\n\n// Output:\n\t// one\n\t// two\n", nil
	}
	check := func(text string, want ...string) {
		t.Helper()
		expect(t, loose("p.md", text, read), want...)
	}
	check("text\n\n<!-- file: a.go -->\n```go\nfunc f() {\n\tg(1)\n```\n")
	check("<!-- file: a.go -->\n```go\ng(1)\n\nh(2)\n```\n")
	check("<!-- output: a.go -->\n```\none\ntwo\n```\n")
	check("```sh\nmake test\n```\n\n```js\nalert(1)\n```\n")
	check("- a list:\n\n  ```sh\n  make test\n  ```\n")

	check("```go\ng(1)\n```\n", `p.md: the block that begins with "g(1)" names no file`)
	check("<!-- file: a.go -->\n\n```go\ng(1)\n```\n", `p.md: the block that begins with "g(1)" names no file`)
	check("<!-- file: a.go -->\n```go\ng(2)\n```\n", `p.md: the block that begins with "g(2)" is not in a.go`)
	check("<!-- file: a.go -->\n```go\ng(1)\nh(2)\n```\n", `p.md: the block that begins with "g(1)" is not in a.go`)
	check("<!-- file: a.go -->\n```go\n(1)\n```\n", `p.md: the block that begins with "(1)" is not in a.go`)
	check("<!-- file: b.go -->\n```go\ng(1)\n```\n", `p.md: the block that begins with "g(1)" file does not exist`)
	check("<!-- output: a.go -->\n```\none\nthree\n```\n", `p.md: the block that begins with "one" is not in a.go`)
	check("<!-- run -->\n```console\n$ ls\n```\n", `p.md: the block that begins with "$ ls" has a comment in front of it that no test knows`)
	check("```json\n{}\n```\n", `p.md: the block that begins with "{}" names no file`)
	check("```go\ng(1)\n", "p.md has 1 fences for 0 blocks")
}

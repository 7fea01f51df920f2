package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// The commands of the pages exist: targets of make, directories for go run, and commands of bennu
// with all their flags.
func TestShellBlocks(t *testing.T) {
	root := filepath.Join("..", "..")
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	readmes, err := filepath.Glob(filepath.Join(root, "examples", "*", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages = append(append(pages, readmes...), filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md"), filepath.Join(root, "RELEASE.md"))
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?ms)^```(sh|console)\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
			for _, c := range commands(block[2], block[1] == "console") {
				checked++
				if fault := impossible(c, root, string(makefile)); fault != "" {
					t.Errorf("%s: %s: %s", page, strings.Join(c, " "), fault)
				}
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d commands were found", checked)
	}
}

// commands returns the words of each command of a block. In a console only lines with a prompt
// are commands.
func commands(block string, console bool) (all [][]string) {
	block = strings.ReplaceAll(block, "\\\n", " ")
	// A command within a command counts as another.
	block = regexp.MustCompile(`<\(([^)]*)\)`).ReplaceAllString(block, "FILE\n$1")
	for line := range strings.Lines(block) {
		line, prompt := strings.CutPrefix(line, "$ ")
		if console && !prompt {
			continue
		}
		var now []string
		for _, word := range words(line) {
			if slices.Contains([]string{"|", "&&", ";", "&"}, word) {
				all, now = append(all, now), nil
				continue
			}
			if len(now) > 0 && now[len(now)-1] == ">" { // the name of a file
				now = now[:len(now)-1]
				continue
			}
			now = append(now, word)
		}
		all = append(all, now)
	}
	return slices.DeleteFunc(all, func(c []string) bool { return len(c) == 0 })
}

// words splits a line as a shell does, as far as the pages need it.
func words(line string) (all []string) {
	for _, w := range regexp.MustCompile(`#.*|(?:'[^']*'|"[^"]*"|[^\s'"])+`).FindAllString(line, -1) {
		if strings.HasPrefix(w, "#") {
			break
		}
		all = append(all, strings.NewReplacer("'", "", `"`, "").Replace(w))
	}
	return all
}

// others are programs of the pages that are not of this repository.
var others = []string{"cat", "cd", "curl", "echo", "export", "grep", "head", "ls", "openssl", "printf", "source", "FILE"}

func impossible(c []string, root, makefile string) string {
	for len(c) > 0 && regexp.MustCompile(`^[A-Z_]+=`).MatchString(c[0]) {
		c = c[1:]
	}
	switch {
	case len(c) == 0 || slices.Contains(others, c[0]):
		return ""
	case c[0] == "make":
		for _, target := range c[1:] {
			if !strings.Contains(target, "=") && !regexp.MustCompile("(?m)^"+regexp.QuoteMeta(target)+":").MatchString(makefile) {
				return "the Makefile has no target " + target
			}
		}
		return ""
	case c[0] == "go" && len(c) > 2:
		args := c[2:]
		for len(args) > 1 && strings.HasPrefix(args[0], "-") {
			if args[0] == "-tags" {
				args = args[1:]
			}
			args = args[1:]
		}
		dir := strings.TrimSuffix(args[0], "/...")
		if _, err := os.Stat(filepath.Join(root, dir)); err != nil && strings.HasPrefix(dir, "./") {
			return err.Error()
		}
		if c[1] != "run" || dir != "./cmd/bennu" {
			return ""
		}
		return unknown(args[1:])
	case c[0] == "bennu":
		return unknown(c[1:])
	}
	return "neither make, go nor bennu, nor in the list of this test"
}

// unknown returns the arguments that bennu does not know.
func unknown(args []string) string {
	bennu := newRoot(strings.NewReader(""), io.Discard, io.Discard)
	bennu.InitDefaultHelpCmd()
	bennu.InitDefaultCompletionCmd(args...)
	command, rest, err := bennu.Find(args)
	if err != nil {
		return err.Error()
	}
	if (command == bennu || !command.Runnable()) && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return "there is no command " + rest[0]
	}
	command.InitDefaultHelpFlag()
	for _, arg := range rest {
		name, long := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if long && command.Flag(name) == nil || !long && strings.HasPrefix(arg, "-") && arg != "-" && !short(command, arg) {
			return "there is no flag " + arg
		}
	}
	return ""
}

func short(command *cobra.Command, arg string) bool {
	name := strings.TrimPrefix(arg, "-")
	return command.Flags().ShorthandLookup(name[:1]) != nil
}

// Commands that do not exist are found.
func TestShellBlocksFindFaults(t *testing.T) {
	for _, tt := range []struct {
		line string
		good bool
	}{
		{"make test # all tests", true},
		{"make tset", false},
		{"bennu connect ws://localhost:4000/socket --topic ping:lobby", true},
		{"bennu connect ws://localhost:4000/socket --topics ping:lobby", false},
		{"bennu conect ws://localhost:4000/socket", false},
		{"go run ./cmd/bennu demo --addr 127.0.0.1:4001 --pubsub 'nats+embed://:6223?peers=127.0.0.1:6222'", true},
		{"go run -tags x ./cmd/bennu demo --adr 127.0.0.1:4001", false},
		{"go run ./examples/claster -node a", false},
		{"printf 'join ping:a\\n' | bennu conect ws://localhost:4000/socket", false},
		{"source <(bennu completion bash)", true},
		{"source <(bennu compl bash)", false},
		{"benu demo", false},
	} {
		good := true
		for _, c := range commands(tt.line, false) {
			good = good && impossible(c, filepath.Join("..", ".."), "test: deps\n") == ""
		}
		if good != tt.good {
			t.Errorf("%s: %v", tt.line, good)
		}
	}
}

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/internal/servetest"
)

// docsPage shows the commands. After a line <!-- help: bennu token --> it has the output of
// --help of that command, and after <!-- run --> commands with their output. BENNU_UPDATE=1
// updates both.
var docsPage = filepath.Join("..", "..", "docs", "cli.md")

// asCommand makes the test binary act as the command, since a shell runs the page.
const asCommand = "BENNU_TEST_AS_COMMAND"

var (
	helpBlock = regexp.MustCompile("(?m)^<!-- help: (.+) -->\n(?:```text\n(?:.*\n)*?```\n)?")
	runBlock  = regexp.MustCompile("(?m)^<!-- run -->\n```console\n((?:.*\n)*?)```\n")
)

func TestDocs(t *testing.T) {
	page, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	want := helpBlock.ReplaceAllStringFunc(string(page), func(block string) string {
		path := helpBlock.FindStringSubmatch(block)[1]
		shown = append(shown, path)
		out, errOut, _ := try(append(strings.Fields(path)[1:], "--help")...)
		if errOut != "" {
			t.Errorf("%s: %s", path, errOut)
		}
		return "<!-- help: " + path + " -->\n```text\n$ " + path + " --help\n" + out + "```\n"
	})
	each(newRoot(strings.NewReader(""), io.Discard, io.Discard), func(c *cobra.Command) {
		path := c.CommandPath()
		if !slices.Contains(shown, path) && !strings.Contains(path, "completion") && c.Name() != "help" {
			t.Errorf("docs/cli.md does not show %q: give it a line <!-- help: %s -->, and run make docs", path, path)
		}
	})
	s := newShell(t)
	want = runBlock.ReplaceAllStringFunc(want, func(block string) string {
		return "<!-- run -->\n```console\n" + s.run(t, runBlock.FindStringSubmatch(block)[1]) + "```\n"
	})
	switch {
	case steady(want) == steady(string(page)):
	case os.Getenv("BENNU_UPDATE") != "":
		if err := os.WriteFile(docsPage, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("docs/cli.md is out of date; make docs writes it anew. It should be:\n%s", want)
	}
}

// steady removes the parts of an output that change from day to day.
func steady(page string) string {
	return regexp.MustCompile(`\d+ days ago`).ReplaceAllString(page, "days ago")
}

// A shell runs the commands of the page.
type shell struct {
	bin   string            // a directory with the command
	there map[string]string // text of the page, and its replacement in the test
}

func newShell(t *testing.T) *shell {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh to run what docs/cli.md shows")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	s := &shell{bin: t.TempDir(), there: map[string]string{"/src/bennu": root}}
	if err := os.Symlink(self, filepath.Join(s.bin, "bennu")); err != nil {
		t.Fatal(err)
	}
	s.there["127.0.0.1:4011"] = servetest.Serve(t, app.New(slog.New(slog.DiscardHandler)).Serve)
	s.there["127.0.0.1:4012"] = servetest.Serve(t, wrongServer().Serve)
	return s
}

// run runs the commands of a block one after the other in a new directory, and returns the block
// with their output. A line with "$ " is a command; all others are output.
func (s *shell) run(t *testing.T, block string) string {
	t.Helper()
	script := "exec 2>&1\n"
	for line := range strings.Lines(block) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			script += "cat <<'COMMAND'\n" + line + "COMMAND\n" + command
		}
	}
	for shown, here := range s.there {
		script = strings.ReplaceAll(script, shown, here)
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), asCommand+"=1", "PATH="+s.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput() // a command of the page may fail
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	said := string(out)
	for shown, here := range s.there {
		said = strings.ReplaceAll(said, here, shown)
	}
	return said
}

// wrongServer returns a server whose rooms echo something else.
func wrongServer() *bennu.Endpoint {
	rooms := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
		return ch, bennu.Empty{}, nil
	})
	bennu.On(rooms, "echo", func(*bennu.Channel, context.Context, bennu.Payload) (map[string]string, error) {
		return map[string]string{"k": "w"}, nil
	})
	var s bennu.SocketHandler
	s.Channel("room:*", rooms)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)})
	endpoint.Socket("/socket", &s, nil)
	return endpoint
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/waittest"
)

// No test may leave a goroutine behind. The environment of the machine must not name nodes.
func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	for _, name := range []string{"BENNU_PUBSUB", "BENNU_SECRET"} {
		os.Unsetenv(name)
	}
	waittest.Main(m)
}

// try runs the command and returns what it printed and its exit code.
func try(args ...string) (out, errOut string, code int) {
	var stdout, stderr strings.Builder
	code = run(context.Background(), args, strings.NewReader(""), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

func TestRun(t *testing.T) {
	tests := []struct {
		args []string
		code int
		out  string // in standard output
		err  string // in standard error
	}{
		{nil, cli.Misuse, "", "bennu: a command is missing\n\nUsage:\n  bennu [command]\n"},
		{[]string{"help"}, cli.OK, "  demo        Serve a page", ""},
		{[]string{"--help"}, cli.OK, "  demo        Serve a page", ""},
		{[]string{"-h"}, cli.OK, "  demo        Serve a page", ""},
		{[]string{"help", "demo"}, cli.OK, "--addr host:port", ""},
		{[]string{"help", "completion", "zsh"}, cli.OK, "bennu completion zsh", ""},
		{[]string{"help", "dance"}, cli.Misuse, "", `there is no command "dance"`},
		{[]string{"help", "demo", "dance"}, cli.Misuse, "", `there is no command "demo dance"`},
		{[]string{""}, cli.Misuse, "", "bennu: there is no command \"\"\n"},
		{[]string{"dance"}, cli.Misuse, "", `bennu: there is no command "dance"`},
		{[]string{"redis://u:sesame@here"}, cli.Misuse, "", `no command "redis://[FILTERED]@here"`},
		{[]string{"--redis://u:sesame@here"}, cli.Misuse, "", "unknown flag: --redis://[FILTERED]@here"},
		{[]string{"version"}, cli.OK, "bennu ", ""},
		{[]string{"--version"}, cli.OK, "bennu ", ""},
		{[]string{"completion"}, cli.Misuse, "", "bennu completion: a command is missing: bash, fish, powershell or zsh\n"},
		{[]string{"completion", "cmd"}, cli.Misuse, "", `bennu completion: there is no command "cmd"`},
		{[]string{"man"}, cli.Misuse, "", "bennu man: a directory, such as ~/.local/share/man/man1, is missing\n\"bennu help man\" lists the flags.\n"},
		{[]string{"man", os.DevNull}, cli.Failed, "", "bennu man: "},
		{[]string{"bench"}, cli.Misuse, "", "bennu bench: the URL of a server, such as ws://127.0.0.1:4050/socket, is missing\n\"bennu help bench\" lists the flags.\n"},
		{[]string{"bench", "server", "now"}, cli.Misuse, "", `bennu bench server: unexpected argument "now"`},
		{[]string{"demo", "-h"}, cli.OK, "--addr host:port", ""},
		{[]string{"demo", "--help"}, cli.OK, "bennu demo --addr 127.0.0.1:4001 --pubsub 'nats+embed://:6223?peers=127.0.0.1:6222'", ""},
		{[]string{"demo", "redis://u:sesame@here"}, cli.Misuse, "", `unexpected argument "redis://[FILTERED]@here"`},
		{[]string{"demo", "--pubsub", "kafka://here"}, cli.Misuse, "", "bennu demo: --pubsub begins with kafka://"},
		{[]string{"demo", "--connections", "-2"}, cli.Misuse, "", "--connections is -2; use 1 or more, or -1"},
		{[]string{"demo", "--node", "a b"}, cli.Misuse, "", `--node "a b" cannot be a name`},
		{[]string{"demo", "--port", "1"}, cli.Misuse, "", "bennu demo: unknown flag: --port\n\"bennu help demo\" lists the flags.\n"},
		{[]string{"demo", "now"}, cli.Misuse, "", `bennu demo: unexpected argument "now"`},
		{[]string{"demo", "--addr", "nonsense"}, cli.Misuse, "", `"nonsense" is not host:port`},
		{[]string{"demo", "--addr", "127.0.0.1:99999"}, cli.Misuse, "", "has a wrong port"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			out, err, code := try(tt.args...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, stream := range []struct{ name, got, want string }{{"stdout", out, tt.out}, {"stderr", err, tt.err}} {
				if !strings.Contains(stream.got, stream.want) || (stream.want == "") != (stream.got == "") {
					t.Errorf("%s: got %q, want %q in it", stream.name, stream.got, stream.want)
				}
			}
		})
	}
}

// Each mistake is one line that says what to write, without the usage.
func TestMistakes(t *testing.T) {
	const url = "ws://127.0.0.1:1/socket"
	tests := []struct{ args, want string }{
		// Commands.
		{"tokn", `bennu: there is no command "tokn"; is "token" meant?`},
		{"Demo", `bennu: there is no command "Demo"; is "demo" meant?`},
		{"hlep", `bennu: there is no command "hlep"; is "help" meant?`},
		{"conect " + url, `bennu: there is no command "conect"; is "connect" meant?`},
		{"con", `bennu: there is no command "con"; is "conformance" or "connect" meant?`},
		{"serve", `bennu: there is no command "serve"; is "demo" meant?`},
		{"generate channel x", `bennu: there is no command "generate"; is "gen" meant?`},
		{"init x", `bennu: there is no command "init"; is "new" meant?`},
		{"dance", "bennu: there is no command \"dance\"\n\"bennu help\" lists the commands."},
		{"gen", `bennu gen: a command is missing: channel, presence or socket`},
		{"help tokn", `bennu help: there is no command "tokn"; is "token" meant?`},
		{"help token sing", `bennu help: there is no command "token sing"; is "sign" meant?`},
		{"help dance", "bennu help: there is no command \"dance\"\n\"bennu help\" lists the commands."},
		{"gen chanel x", `bennu gen: there is no command "chanel"; is "channel" meant?`},
		{"gen view x", "bennu gen: there is no command \"view\"\n\"bennu help gen\" lists the commands."},
		{"token verfy", `bennu token: there is no command "verfy"; is "verify" meant?`},
		{"completion bsh", `bennu completion: there is no command "bsh"; is "bash" or "zsh" meant?`},
		// Flags.
		{"connect " + url + " --topci x", `bennu connect: unknown flag: --topci; is --topic meant?`},
		{"connect " + url + " --topics x", `bennu connect: unknown flag: --topics; is --topic meant?`},
		{"connect " + url + " --Topic=x", `bennu connect: unknown flag: --Topic; is --topic meant?`},
		{"connect " + url + " -topic x", `bennu connect: unknown shorthand flag: 't' in -topic; is --topic meant?`},
		{"connect " + url + " --tokenfile x", `bennu connect: unknown flag: --tokenfile; is --token-file meant?`},
		{"connect " + url + " --token_file x", `bennu connect: unknown flag: --token_file; is --token-file meant?`},
		{"connect " + url + " ---topic x", `bennu connect: bad flag syntax: ---topic; is --topic meant?`},
		{"connect " + url + " —json", "bennu connect: unexpected argument \"—json\"; a flag begins with two plain dashes: --json\n\"bennu help connect\" lists the flags."},
		{"connect " + url + " --topic --json", "bennu connect: flag needs an argument: --topic topic; --json stands in its place\n\"bennu help connect\" lists the flags."},
		{"connect " + url + " --topic", "bennu connect: flag needs an argument: --topic topic\n\"bennu help connect\" lists the flags."},
		{"demo --adr :1", `bennu demo: unknown flag: --adr; is --addr meant?`},
		{"demo --json", "bennu demo: unknown flag: --json\n\"bennu help demo\" lists the flags."},
		{"--pubsub memory", `bennu: unknown flag: --pubsub; "bennu demo" has it`},
		{"new --topic x y", `bennu new: unknown flag: --topic; "bennu bench" and "bennu connect" and "bennu gen channel" have it`},
		{"bench " + url + " --phase echo", `bennu bench: unknown flag: --phase; is --phases meant?`},
		{"bench server --address :1", `bennu bench server: unknown flag: --address; is --addr meant?`},
		{"conformance --verbos", `bennu conformance: unknown flag: --verbos; is --verbose meant?`},
		{"new --modul x chat", `bennu new: unknown flag: --modul; is --module meant?`},
		{"gen channel --topik x y", `bennu gen channel: unknown flag: --topik; is --topic meant?`},
		{"token sign --slat x 1", `bennu token sign: unknown flag: --slat; is --salt meant?`},
		{"token sign --salt x -5", `bennu token sign: unknown shorthand flag: '5' in -5; write an argument that begins with a dash after --, as in: -- -5`},
		{"version --hepl", `bennu version: unknown flag: --hepl; is --help meant?`},
		// Values.
		{"demo --addr 4000", "bennu demo: --addr \"4000\" is not host:port; 127.0.0.1:4000 would be\n\"bennu help demo\" lists the flags."},
		{"demo --addr localhost", "bennu demo: --addr \"localhost\" is not host:port; localhost:4000 would be\n\"bennu help demo\" lists the flags."},
		{"bench server --addr http://localhost:4050", "bennu bench server: --addr \"http://localhost:4050\" is not host:port; localhost:4050 would be\n\"bennu help bench server\" lists the flags."},
		{"demo --connections many", "bennu demo: --connections \"many\" is no whole number; write --connections 10, for example\n\"bennu help demo\" lists the flags."},
		{"demo --open=yes", "bennu demo: --open \"yes\" is neither true nor false; --open alone turns it on\n\"bennu help demo\" lists the flags."},
		{"connect " + url + " --for 10", "bennu connect: --for \"10\" has no unit; write 10s for seconds, or ms, m or h\n\"bennu help connect\" lists the flags."},
		{"connect " + url + " --timeout soon", "bennu connect: --timeout \"soon\" is no duration; write --timeout 30s, for example, or 500ms, 5m, 1h30m\n\"bennu help connect\" lists the flags."},
		{"connect " + url + " --count 99999999999999999999", "bennu connect: --count \"99999999999999999999\" is too large or too small a number\n\"bennu help connect\" lists the flags."},
		{"bench " + url + " --connect-rate fast", "bennu bench: --connect-rate \"fast\" is no number; write --connect-rate 10, for example\n\"bennu help bench\" lists the flags."},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			out, err, code := try(strings.Fields(tt.args)...)
			if code != cli.Misuse || out != "" || err != tt.want+"\n" {
				t.Errorf("exit code %d, stdout %q, stderr\n%swant\n%s", code, out, err, tt.want)
			}
		})
	}
}

// each calls visit for every command that users see.
func each(c *cobra.Command, visit func(c *cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			each(sub, visit)
		}
	}
}

// Every command has a description and examples, and --help prints only these.
func TestHelp(t *testing.T) {
	each(newRoot(strings.NewReader(""), io.Discard, io.Discard), func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())[1:]
		t.Run(strings.Join(path, " "), func(t *testing.T) {
			out, err, code := try(append(path, "--help")...)
			if code != cli.OK || err != "" {
				t.Errorf("exit code %d, stderr %q", code, err)
			}
			if c.Short == "" || c.Long == "" || !strings.Contains(out, c.Long) {
				t.Errorf("does not say what it does: %q", out)
			}
			if !strings.Contains(c.CommandPath(), "completion") && (c.Example == "" || !strings.Contains(out, c.Example)) {
				t.Errorf("has no example: %q", out)
			}
			for line := range strings.Lines(out) {
				if strings.HasSuffix(strings.TrimRight(line, "\n"), " ") {
					t.Errorf("a line ends in a blank: %q", line)
				}
			}
			asked, _, _ := try(append([]string{"help"}, path...)...)
			if asked != out {
				t.Errorf("help says %q, --help %q", asked, out)
			}
		})
	})
}

func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "complete -o default", "zsh": "#compdef bennu", "fish": "complete -c bennu", "powershell": "Register-ArgumentCompleter",
	} {
		out, err, code := try("completion", shell)
		if code != cli.OK || err != "" || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d, stderr %q, %d bytes without %q", shell, code, err, len(out), want)
		}
	}
	// The requests of the completion scripts.
	for words, want := range map[string]string{
		"de": "demo\t", "help de": "demo\t", "demo --no": "--node\t", "bench --app d": "bench\ndemo\n:4", "bench --phases e": "connect\necho\n",
		"demo x": ":4\n", "new x": ":4\n", "gen channel x": ":4\n", "gen channel --dir x": ":16\n", "man x": ":16\n", "token sign x": ":4\n", "token verify x": ":0\n",
	} {
		if out, _, code := try(append([]string{"__complete"}, strings.Fields(words)...)...); code != cli.OK || !strings.HasPrefix(out, want) {
			t.Errorf("%s is completed with %q, want %q", words, out, want)
		}
	}
}

func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	if _, err, code := try("man", dir); code != cli.OK || err != "" {
		t.Fatalf("exit code %d, stderr %q", code, err)
	}
	each(newRoot(strings.NewReader(""), io.Discard, io.Discard), func(c *cobra.Command) {
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		page, err := os.ReadFile(filepath.Join(dir, name))
		if c.Name() == "help" {
			return // it is in the page of bennu
		}
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(page), ".SH NAME") || !strings.Contains(string(page), c.Short) {
			t.Errorf("%s: %s", name, page)
		}
		if !strings.Contains(string(page), fmt.Sprintf("\n.TH %q \"1\" \"\" ", strings.ToUpper(strings.TrimSuffix(name, ".1")))) {
			t.Errorf("%s has a date: %.100s", name, page)
		}
		if blocks, examples := strings.Count(c.Long, "\n\n  "), strings.Count(string(page), "\n.EX\n"); examples < blocks {
			t.Errorf("%s runs the lines of a list together: %s", name, page)
		}
	})
}

func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.0"}
	info.Main.Version = "v1.2.3"
	info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}
	tests := []struct {
		info *debug.BuildInfo
		want string
	}{
		{info, `^bennu v1\.2\.3 0123456789ab\+changes go1\.26\.0 \w+/\w+$`},
		{&debug.BuildInfo{GoVersion: "go1.26.0"}, `^bennu \(devel\) go1\.26\.0 \w+/\w+$`},
		{nil, `^bennu \(devel\) go\S+ \w+/\w+$`},
	}
	for _, tt := range tests {
		if got := version(tt.info); !regexp.MustCompile(tt.want).MatchString(got) {
			t.Errorf("got %q, want %s", got, tt.want)
		}
	}
}

// The first command of README.md compiles no broker, which would take most of the time. Only
// --pubsub is missing then.
func TestWithoutBrokers(t *testing.T) {
	deps, err := exec.Command("go", "list", "-deps", "-tags", "nobrokers", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"github.com/nats-io/", "github.com/redis/"} {
		if strings.Contains(string(deps), "\n"+module) {
			t.Errorf("%s is compiled", module)
		}
	}
	binary := proctest.Build(t, "github.com/bennu-go/bennu/cmd/bennu", "-tags=nobrokers")
	said, err := exec.Command(binary, "demo", "--addr", "127.0.0.1:0", "--pubsub", "nats+embed://:0").CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if want := "--pubsub: this command was built without NATS and Redis; leave -tags nobrokers out\n"; !ok || exit.ExitCode() != cli.Misuse || !strings.Contains(string(said), want) {
		t.Errorf("%v after printing %q", err, said)
	}
}

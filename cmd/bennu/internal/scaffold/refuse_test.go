package scaffold

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) {
	waittest.Main(m)
}

// tree writes files below a new directory, by path.
func tree(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// snapshot returns the files below a directory.
func snapshot(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all = append(all, path+": "+string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A refusal has a reason, and changes no file.
func TestRefused(t *testing.T) {
	const mod = "module example.com/chat\n\ngo 1.26.0\n\nrequire github.com/bennu-go/bennu v0.1.0\n"
	program := map[string]string{
		"go.mod":  mod,
		"main.go": "package main\n\nimport \"log\"\n\nvar joinTaken = 1\n\nfunc main() { log.Print(joinTaken) }\n",
		"room.go": "package main\n\ntype room struct{}\n",
	}
	tests := []struct {
		name  string
		files map[string]string
		args  []string
		code  int
		err   string
	}{
		{"new without a name", nil, []string{"new"}, cli.Misuse, "a NAME, such as chat, is missing"},
		{"new with a bad name", nil, []string{"new", "9lives"}, cli.Misuse, `"9lives" cannot be a name`},
		{"new without anything in the name", nil, []string{"new", ""}, cli.Misuse, "the NAME is empty; it is the directory of the program, such as chat"},
		{"new with a digit first", nil, []string{"new", "9lives"}, cli.Misuse, "it begins with a digit, and a name begins with a letter, as in chat"},
		{"new with a blank", nil, []string{"new", "my chat"}, cli.Misuse, `"my chat" cannot be a name; it begins with a letter, and has letters a to z, digits, - and _`},
		{"new with a long name", nil, []string{"new", strings.Repeat("x", 65)}, cli.Misuse, "it has 65 bytes; use at most 64"},
		{"new with two names", nil, []string{"new", "my", "chat"}, cli.Misuse, `unexpected argument "chat"`},
		{"new with a dot", nil, []string{"new", "."}, cli.Misuse, `"." cannot be a name`},
		{"new with a bad module", nil, []string{"new", "--module", "a b", "chat"}, cli.Misuse, `"a b" cannot be the path of a module`},
		{"new with a module that ends in a dot", nil, []string{"new", "--module", "a./b", "chat"}, cli.Misuse, `"a./b" cannot be the path of a module`},
		{"new as the standard library", nil, []string{"new", "std"}, cli.Misuse, `the path "std" of the module belongs to Go; use another one, as in --module example.com/std`},
		{"new as a package of Go", nil, []string{"new", "log"}, cli.Misuse, `the path "log" of the module belongs to Go`},
		{"new as main", nil, []string{"new", "main"}, cli.Misuse, `the path "main" of the module belongs to Go`},
		{"new in the place of a file", map[string]string{"chat": "x"}, []string{"new", "chat"}, cli.Failed, "chat cannot be the directory of a program"},
		{"new as bennu", nil, []string{"new", "--module", bennuPath, "chat"}, cli.Misuse, "cannot be the path of a module"},
		{"new where there is something", map[string]string{"chat/notes": "x"}, []string{"new", "chat"}, cli.Failed, "chat exists and is not empty, and nothing was written"},
		{"new with no tree", map[string]string{"go.mod": mod}, []string{"new", "--replace", ".", "chat"}, cli.Misuse, "there is no go.mod of github.com/bennu-go/bennu"},

		{"gen of nothing", program, []string{"gen"}, cli.Misuse, "a command is missing"},
		{"gen of something else", program, []string{"gen", "view", "x"}, cli.Misuse, `there is no command "view"`},
		{"gen over a file", program, []string{"gen", "channel", "room"}, cli.Failed, "room.go exists, and nothing was written; --force overwrites it"},
		{"gen over a test", map[string]string{"go.mod": mod, "x_test.go": "package main\n"}, []string{"gen", "channel", "x"}, cli.Failed, "x_test.go exists"},
		{"gen of a name declared", program, []string{"gen", "channel", "taken"}, cli.Failed, "joinTaken is declared in main.go already"},
		{"gen of a name imported", program, []string{"gen", "channel", "log"}, cli.Failed, "log is a package that main.go imports"},
		{"gen of a name that it imports itself", program, []string{"gen", "channel", "context"}, cli.Failed, "context is a package that context.go imports"},
		{"gen of a keyword", program, []string{"gen", "channel", "select"}, cli.Misuse, "select is a word of Go; take another name"},
		{"gen of a word of Go", program, []string{"gen", "channel", "string"}, cli.Misuse, "string is a word of Go; take another name"},
		{"gen of main", program, []string{"gen", "channel", "main"}, cli.Misuse, "main is a word of Go"},
		{"gen of init", program, []string{"gen", "channel", "init"}, cli.Misuse, "init is a word of Go"},
		{"gen for tests alone", program, []string{"gen", "channel", "my_test"}, cli.Misuse, "the go command would use a file my_test.go only for some systems or for tests"},
		{"gen for a system alone", program, []string{"gen", "channel", "my_windows"}, cli.Misuse, "the go command would use a file my_windows.go only for some systems"},
		{"gen with a dash", program, []string{"gen", "channel", "chat-room"}, cli.Misuse, `"chat-room" cannot be a name; use letters, digits and _: chat_room`},
		{"gen with a digit first", program, []string{"gen", "channel", "1abc"}, cli.Misuse, `"1abc" cannot be a name; it begins with a digit, and a name begins with a letter, as in chat_room`},
		{"gen with a digit behind _", program, []string{"gen", "socket", "_1abc"}, cli.Misuse, "a digit comes before its first letter, and a name begins with a letter"},
		{"gen without anything in the name", program, []string{"gen", "presence", ""}, cli.Misuse, `"" cannot be a name; it is empty`},
		{"gen with _ alone", program, []string{"gen", "channel", "__"}, cli.Misuse, "it has no letter"},
		{"gen with _ first", program, []string{"gen", "channel", "_room"}, cli.Misuse, `"_room" cannot be a name; _ stands between words, once: room`},
		{"gen with _ twice", program, []string{"gen", "channel", "chat__room"}, cli.Misuse, "_ stands between words, once: chat_room"},
		{"gen with a blank", program, []string{"gen", "channel", "chat room"}, cli.Misuse, "use letters, digits and _: chat_room"},
		{"gen with a file", program, []string{"gen", "channel", "room.go"}, cli.Misuse, "use letters, digits and _: room_go"},
		{"gen in another script", program, []string{"gen", "channel", "café"}, cli.Misuse, `"café" cannot be a name; use the letters a to z, digits and _, as in chat_room: 'é' is none of these`},
		{"gen with a sign", program, []string{"gen", "channel", "room!"}, cli.Misuse, "'!' is none of these"},
		{"gen of a keyword in capitals", program, []string{"gen", "channel", "Select"}, cli.Misuse, "select is a word of Go; take another name, such as select_room"},
		{"gen with a path", program, []string{"gen", "socket", "../x"}, cli.Misuse, "cannot be a name"},
		{"gen with a long name", program, []string{"gen", "presence", strings.Repeat("x", 65)}, cli.Misuse, "cannot be a name"},
		{"gen with a bad topic", program, []string{"gen", "channel", "--topic", "a*b", "x"}, cli.Misuse, `--topic "a*b" has a * that is not its last character`},
		{"gen with a variable", program, []string{"gen", "channel", "--topic", "orders:{user}", "x"}, cli.Misuse, `--topic "orders:{user}" has the part "{user}", which matches only itself; write "orders:*"`},
		{"gen with the name of a transport", program, []string{"gen", "socket", "longpoll"}, cli.Misuse, "take another name"},
		{"gen with two stars", program, []string{"gen", "channel", "--topic", "a**", "x"}, cli.Misuse, "has a * that is not its last character"},
		{"gen with the heartbeat's topic", program, []string{"gen", "channel", "--topic", "phoenix", "x"}, cli.Misuse, "is the protocol's own"},
		{"gen with a long topic", program, []string{"gen", "channel", "--topic", strings.Repeat("x", 251), "x"}, cli.Misuse, "has 251 bytes"},
		{"gen with a topic that cannot be seen", program, []string{"gen", "channel", "--topic", "a\nb", "x"}, cli.Misuse, "has invisible characters"},
		{"gen with a parameter of the protocol", program, []string{"gen", "socket", "--token-param", "vsn", "x"}, cli.Misuse, `--token-param: TokenParam is "vsn", which clients use for something else`},
		{"gen with a parameter that is a map", program, []string{"gen", "socket", "--token-param", "a[b]", "x"}, cli.Misuse, "use letters, digits"},
		{"gen of a channel with a parameter", program, []string{"gen", "channel", "--token-param", "token", "x"}, cli.Misuse, "--token-param"},
		{"gen beside what does not parse", map[string]string{"go.mod": mod, "a.go": "package"}, []string{"gen", "channel", "x"}, cli.Failed, "a.go cannot be read"},
		{"gen in two packages", map[string]string{"go.mod": mod, "a.go": "package a\n", "b.go": "package b\n"}, []string{"gen", "channel", "x"}, cli.Failed, "has the packages a and b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tree(t, tt.files)
			before := snapshot(t, dir)
			out, err, code := try(t, dir, tt.args...)
			if code != tt.code || out != "" || !strings.Contains(err, tt.err) {
				t.Errorf("exit code %d after printing %q and %q, want %d and %q", code, out, err, tt.code, tt.err)
			}
			if after := snapshot(t, dir); !slices.Equal(before, after) {
				t.Errorf("was %q, is %q", before, after)
			}
		})
	}
}

// A pattern that is accepted does not make the program panic at start.
func TestTopicsAreGood(t *testing.T) {
	for _, pattern := range []string{"*", "a:*", "a", "a b", "é:*", ":"} {
		n, err := parseName("x")
		if err != nil {
			t.Fatal(err)
		}
		if err := n.setTopic(pattern); err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
		var users bennu.SocketHandler
		users.Channel(n.Topic, bennu.Define(func(ctx context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, bennu.Empty, error) {
			return ch, bennu.Empty{}, nil
		}))
	}
}

func TestNoModule(t *testing.T) {
	dir := t.TempDir()
	for at := dir; at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			t.Skipf("there is a go.mod in %s, above all temporary directories", at)
		}
	}
	_, err, code := try(t, dir, "gen", "channel", "x")
	if code != cli.Failed || !strings.Contains(err, `there is no go.mod here or above; "bennu new NAME" makes a program`) {
		t.Errorf("exit code %d after printing %q", code, err)
	}
}

func TestForce(t *testing.T) {
	dir := tree(t, map[string]string{"go.mod": "module x\n", "room.go": "package main\n\ntype room int\n"})
	out := must(t, dir, "gen", "channel", "--force", "room")
	if text, err := os.ReadFile(filepath.Join(dir, "room.go")); err != nil || !strings.Contains(string(text), "type room struct") {
		t.Errorf("%s, %v", text, err)
	}
	for _, want := range []string{"Made room.go and room_test.go.\n", "Add where the socket handler gets its channels:\n", "  go mod edit -replace 'github.com/bennu-go/bennu=", "'\n  go mod tidy\n  go test ./...\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed %q, want %q in it", out, want)
		}
	}
	dir = tree(t, map[string]string{"chat/notes": "mine", "chat/main.go": "package old\n"})
	must(t, dir, "new", "--force", "chat")
	if text, err := os.ReadFile(filepath.Join(dir, "chat", "notes")); err != nil || string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
}

// Files that are in no build do not determine the package.
func TestIgnoredFiles(t *testing.T) {
	dir := tree(t, map[string]string{
		"go.mod": "module x\n", "gen.go": "//go:build ignore\n\npackage main\n", "lib.go": "//go:build linux || !linux\n\npackage lib\n", "x_test.go": "package lib_test\n\ntype y int\n",
	})
	must(t, dir, "gen", "channel", "y")
	if text, err := os.ReadFile(filepath.Join(dir, "y.go")); err != nil || !strings.HasPrefix(string(text), "package lib\n") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string][3]string{
		"room":       {"room", "room", "Room"},
		"chat_room":  {"chat_room", "chatRoom", "ChatRoom"},
		"ChatRoom":   {"chat_room", "chatRoom", "ChatRoom"},
		"chatRoom":   {"chat_room", "chatRoom", "ChatRoom"},
		"Chat_Room":  {"chat_room", "chatRoom", "ChatRoom"},
		"a1_2":       {"a1_2", "a12", "A12"},
		"ROOM":       {"room", "room", "Room"},
		"HTTPRoom":   {"http_room", "httpRoom", "HttpRoom"},
		"roomID":     {"room_id", "roomId", "RoomId"},
		"CHAT_ROOM":  {"chat_room", "chatRoom", "ChatRoom"},
		"chat__room": {},
		"_x":         {},
		"x_":         {},
		"1x":         {},
		"é":          {},
		"":           {},
	} {
		n, err := parseName(text)
		if got := [3]string{n.Name, n.Lower, n.Upper}; got != want || (err == nil) != (want[0] != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestBuiltFrom(t *testing.T) {
	root := tree(t, map[string]string{"go.mod": "module " + bennuPath + "\n\ngo 1.26.0\n"})
	here := filepath.Join(root, "cmd", "bennu", "internal", "scaffold", "source.go")
	published := &debug.Module{Path: bennuPath, Version: "v1.2.3", Sum: "h1:x"}
	for name, tt := range map[string]struct {
		info *debug.BuildInfo
		here string
		want source // the zero one for an error
	}{
		"go install at a version": {&debug.BuildInfo{Main: *published}, "/nowhere/a/b/c/d/e.go", source{version: "v1.2.3"}},
		"tool of another module":  {&debug.BuildInfo{Main: debug.Module{Path: "x"}, Deps: []*debug.Module{published}}, here, source{version: "v1.2.3"}},
		"in its tree":             {&debug.BuildInfo{Main: debug.Module{Path: bennuPath, Version: "(devel)"}}, here, source{unpublished, root}},
		"in its tree at a tag":    {&debug.BuildInfo{Main: debug.Module{Path: bennuPath, Version: "v1.2.3"}}, here, source{unpublished, root}},
		"replaced": {&debug.BuildInfo{Main: debug.Module{Path: "x"}, Deps: []*debug.Module{
			{Path: bennuPath, Version: "v1.2.3", Sum: "h1:x", Replace: &debug.Module{Path: root}}}}, here, source{unpublished, root}},
		"without information":  {nil, here, source{unpublished, root}},
		"with trimmed paths":   {nil, bennuPath + "/cmd/bennu/internal/scaffold/source.go", source{}},
		"from a tree now gone": {nil, filepath.Join(t.TempDir(), "cmd", "bennu", "internal", "scaffold", "source.go"), source{}},
	} {
		got, err := builtFrom(tt.info, tt.here)
		if got != tt.want || (err == nil) != (tt.want != source{}) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, tt.want)
		}
	}
}

// A program with a published version of bennu lists no other modules; go mod tidy adds them.
func TestPublished(t *testing.T) {
	p := &project{Module: "example.com/chat", Binary: "chat"}
	files, err := p.files("chat", source{version: "v1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f file) bool { return filepath.Base(f.path) == "go.mod" })
	const want = "module example.com/chat\n\ngo 1.26.0\n\nrequire github.com/bennu-go/bennu v1.2.3\n"
	if string(files[i].text) != want {
		t.Errorf("got %q, want %q", files[i].text, want)
	}
	if slices.ContainsFunc(files, func(f file) bool { return filepath.Base(f.path) == "go.sum" }) {
		t.Error("there is a go.sum")
	}
	var out strings.Builder
	p.tell(&out, "chat", files, source{version: "v1.2.3"})
	if !strings.Contains(out.String(), "  go mod tidy\n") || strings.Contains(out.String(), "replace") {
		t.Errorf("printed %s", out.String())
	}
}

func TestReplacement(t *testing.T) {
	for dir, want := range map[string]string{"/src/bennu": "/src/bennu", "/my src/bennu": `"/my src/bennu"`} {
		if got := (source{dir: dir}).replacement(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Newer versions of Go have more packages.
func TestReserved(t *testing.T) {
	out, err := exec.Command("go", "list", "std").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		if first, _, _ := strings.Cut(path, "/"); !slices.Contains(reserved, first) {
			t.Errorf("%s is missing", first)
		}
	}
}

package scaffold

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/redact"
)

type newFlags struct {
	module, replace string
	history, force  bool
}

// NewCommand is "bennu new".
func NewCommand() *cobra.Command {
	var f newFlags
	c := &cobra.Command{
		Use:        "new NAME",
		Short:      "Make a new program with a channel",
		SuggestFor: []string{"create", "init"},
		Long: `Make a program in the new directory NAME: an endpoint, a channel, a page that uses it, and
tests, which pass.

If this command was built in a source tree, the program's go.mod has a replace line for that
tree; --replace names another tree.`,
		Example: `  bennu new chat
  bennu new --history chat
  bennu new --module example.com/chat chat
  bennu new --replace ../bennu chat`,
		Args: cli.One("a NAME, such as chat,"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.OutOrStdout(), args[0]) },

		ValidArgsFunction: cobra.NoFileCompletions,
	}
	c.Flags().BoolVar(&f.history, "history", false, "keep what is said, for clients whose connection was cut")
	c.Flags().StringVar(&f.module, "module", "", "`path` of the program's module (default the name)")
	c.Flags().StringVar(&f.replace, "replace", "", "`directory` of a source tree of bennu for the program to use")
	_ = c.MarkFlagDirname("replace") // fails for no flag of this name
	c.Flags().BoolVar(&f.force, "force", false, "overwrite files that exist")
	return c
}

// binaryMistake says what is wrong with the name of a program.
func binaryMistake(name string) string {
	switch {
	case isDigit(rune(name[0])):
		return "it begins with a digit, and a name begins with a letter, as in chat"
	case len(name) > longestName:
		return fmt.Sprintf("it has %d bytes; use at most %d", len(name), longestName)
	}
	return "it begins with a letter, and has letters a to z, digits, - and _, as in chat"
}

// project is the data of the templates of a program.
type project struct {
	names
	Module   string
	Binary   string
	Version  string
	Indirect []string
	Replace  string
}

var (
	binaryPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)
	modulePattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._~-]*[A-Za-z0-9_~-])?(/[A-Za-z0-9_]([A-Za-z0-9._~-]*[A-Za-z0-9_~-])?)*$`)
)

// reserved has the paths, or first elements of paths, of Go's own packages: a program named log would
// not compile.
var reserved = strings.Fields(`archive bufio builtin bytes cmd cmp compress container context crypto database
	debug embed encoding errors expvar flag fmt go hash html image index internal io iter log main maps
	math mime net os path plugin reflect regexp runtime slices sort std strconv strings structs sync
	syscall testing text time unicode unique unsafe vendor weak`)

func (f *newFlags) run(w io.Writer, dir string) error {
	if dir == "" {
		return cli.Usagef("the NAME is empty; it is the directory of the program, such as chat")
	}
	p := project{names: names{History: f.history}, Binary: filepath.Base(dir), Module: f.module}
	if !binaryPattern.MatchString(p.Binary) {
		return cli.Usagef("%q cannot be a name; %s", redact.Text(p.Binary), binaryMistake(p.Binary))
	}
	if p.Module == "" {
		p.Module = p.Binary
	}
	if !modulePattern.MatchString(p.Module) || p.Module == bennuPath {
		return cli.Usagef("%q cannot be the path of a module; example.com/chat could", redact.Text(p.Module))
	}
	if first, _, _ := strings.Cut(p.Module, "/"); slices.Contains(reserved, first) {
		return cli.Usagef("the path %q of the module belongs to Go; use another one, as in --module example.com/%s", p.Module, p.Binary)
	}
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil && len(entries) > 0 && !f.force:
		return fmt.Errorf("%s exists and is not empty, and nothing was written; --force writes into it", dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s cannot be the directory of a program: %w", dir, err)
	}
	src, err := findSource(f.replace)
	if err != nil {
		return err
	}
	files, err := p.files(dir, src)
	if err != nil {
		return err
	}
	if err := write(files, f.force); err != nil {
		return err
	}
	p.tell(w, dir, files, src)
	return nil
}

// files returns the files of a program with the channel "room".
func (p *project) files(dir string, src source) ([]file, error) {
	indirect, sums, err := src.requirements()
	if err != nil {
		return nil, err
	}
	p.Version, p.Indirect = src.version, indirect
	if src.dir != "" {
		p.Replace = src.replacement()
	}
	files, err := render("project", p, func(name string) string {
		if name == "gitignore" {
			name = ".gitignore"
		}
		return filepath.Join(dir, name)
	})
	if err != nil {
		return nil, err
	}
	if sums != nil {
		files = append(files, file{filepath.Join(dir, "go.sum"), sums})
	}
	n, err := parseName("room")
	if err != nil {
		return nil, err
	}
	n.Package = "main"
	if err := n.setTopic(""); err != nil {
		return nil, err
	}
	channel, err := render("channel", n, func(name string) string { return filepath.Join(dir, fileName("channel", name, n)) })
	return append(files, channel...), err
}

func (p *project) tell(w io.Writer, dir string, files []file, src source) {
	fmt.Fprintf(w, "Made the program %s:\n\n", p.Binary)
	for _, f := range files {
		fmt.Fprintf(w, "  %s\n", f.path)
	}
	if src.dir != "" {
		fmt.Fprintf(w, `
It uses the source tree that this command knows, by a line in %s:

  replace %s => %s

With a published version of bennu, remove that line and run  go get %s@latest
`, filepath.Join(dir, "go.mod"), bennuPath, p.Replace, bennuPath)
	}
	fmt.Fprintf(w, "\nNext:\n\n  cd %s\n", dir)
	if inWorkspace(dir) {
		fmt.Fprint(w, "  go work use .             # a go.work above has other modules only\n")
	}
	if src.dir == "" {
		fmt.Fprint(w, "  go mod tidy\n")
	}
	fmt.Fprint(w, `  go test ./...
  go run .                  # http://127.0.0.1:4000
  bennu gen channel NAME    # another channel
`)
}

// inWorkspace reports whether a directory is below a go.work, which must name its module before the
// go command accepts it.
func inWorkspace(dir string) bool {
	at, err := filepath.Abs(dir)
	for err == nil && os.Getenv("GOWORK") != "off" {
		if _, err := os.Stat(filepath.Join(at, "go.work")); err == nil {
			return true
		}
		parent := filepath.Dir(at)
		if parent == at {
			return false
		}
		at = parent
	}
	return false
}

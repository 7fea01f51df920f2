package part

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The modules of which Build can build programs.
const (
	Bennu   = "github.com/bennu-go/bennu"
	Measure = "github.com/bennu-go/bennu/measure"
)

// Build compiles a program of a module into a folder and returns where it is. What is
// measured is a program of its own that links no more than it needs: what else a process
// has in its memory shows in the figures.
func Build(ctx context.Context, dir, module, pkg string) (program string, err error) {
	root, err := run(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return "", err
	}
	program = filepath.Join(dir, filepath.Base(pkg))
	_, err = run(ctx, "go", "build", "-C", root, "-o", program, pkg)
	return program, err
}

func run(ctx context.Context, name string, args ...string) (said string, err error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w; run this with go run -C measure", c, err)
	}
	return strings.TrimSpace(string(out)), nil
}

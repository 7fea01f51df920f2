package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/bennu-go/bennu/measure/internal/part"
)

// target is a server to be measured.
type target struct {
	Name string // as it stands in results
	args func(b *binaries) []string
}

var (
	floor  = target{"floor", func(b *binaries) []string { return []string{b.floor, "-addr", "127.0.0.1:0"} }}
	gather = target{"gather", func(b *binaries) []string { return []string{b.floor, "-addr", "127.0.0.1:0", "-gather"} }}
	polled = target{"epoll", func(b *binaries) []string {
		return []string{b.bennu, "bench", "server", "--addr", "127.0.0.1:0", "--json"}
	}}
	parked = target{"parked", func(b *binaries) []string {
		return []string{b.bennu, "bench", "server", "--addr", "127.0.0.1:0", "--json", "--no-epoll"}
	}}
)

// binaries are the programs that were built for a run.
type binaries struct{ bennu, floor string }

func build(ctx context.Context, dir string) (b *binaries, err error) {
	b = &binaries{}
	if b.bennu, err = part.Build(ctx, dir, part.Bennu, "./cmd/bennu"); err != nil {
		return nil, err
	}
	b.floor, err = part.Build(ctx, dir, part.Measure, "./floor")
	return b, err
}

// serving is a target that runs.
type serving struct {
	URL     string `json:"url"`
	PID     int    `json:"pid"`
	process *part.Process
}

func (t target) start(ctx context.Context, b *binaries) (*serving, error) {
	args := t.args(b)
	p, said, err := part.StartSaying(ctx, args[0], args[1:]...)
	if err != nil {
		return nil, err
	}
	s := &serving{process: p}
	if err := json.Unmarshal([]byte(said), s); err != nil {
		p.Kill()
		return nil, fmt.Errorf("%s did not say where it serves: %w", t.Name, err)
	}
	return s, nil
}

// load runs "bennu bench" against a new server.
func load(ctx context.Context, b *binaries, t target, connections int, args ...string) (*report, error) {
	s, err := t.start(ctx, b)
	if err != nil {
		return nil, err
	}
	all := append([]string{"bench", s.URL, "--json", "--pid", strconv.Itoa(s.PID), "--connections", strconv.Itoa(connections)}, args...)
	c := exec.CommandContext(ctx, b.bennu, all...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	text, runErr := c.Output()
	last := s.process.Stop()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	r := &report{}
	if err := json.Unmarshal(text, r); err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](runErr); ok {
			return nil, fmt.Errorf("bennu %s: %w: %s", strings.Join(all, " "), runErr, exit.Stderr)
		}
		return nil, fmt.Errorf("bennu %s: %w", strings.Join(all, " "), errors.Join(runErr, err))
	}
	if runErr != nil {
		// A figure of half a run is none.
		return nil, fmt.Errorf("bennu %s: incomplete: %s", strings.Join(all, " "), text)
	}
	if last != "" {
		if err := json.Unmarshal([]byte(last), &r.Server); err != nil {
			return nil, fmt.Errorf("%s: what the server said at its end: %w", t.Name, err)
		}
	}
	return r, nil
}

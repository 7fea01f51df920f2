package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
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

func build(ctx context.Context, dir string) (*binaries, error) {
	b := &binaries{bennu: filepath.Join(dir, "bennu"), floor: filepath.Join(dir, "floor")}
	for out, pkg := range map[string]string{b.bennu: "./cmd/bennu", b.floor: "./test/floor"} {
		c := exec.CommandContext(ctx, "go", "build", "-o", out, pkg)
		c.Stderr = os.Stderr
		if err := c.Run(); err != nil {
			return nil, fmt.Errorf("go build %s: %w; run this from the root of the module", pkg, err)
		}
	}
	return b, nil
}

// serving is a target that runs.
type serving struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
	cmd *exec.Cmd
	out *bufio.Reader
}

func (t target) start(ctx context.Context, b *binaries) (*serving, error) {
	args := t.args(b)
	s := &serving{cmd: exec.CommandContext(ctx, args[0], args[1:]...)}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	line, err := s.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, s)
	}
	if err != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		return nil, fmt.Errorf("%s did not say where it serves: %w", t.Name, err)
	}
	return s, nil
}

// stop ends the server and returns what it said at its end, if it says something.
func (s *serving) stop() (last []byte) {
	_ = s.cmd.Process.Signal(os.Interrupt)
	kill := time.AfterFunc(30*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	last, _ = s.out.ReadBytes('\n')
	_ = s.cmd.Wait()
	return last
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
	last := s.stop()
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
	if len(last) > 0 {
		if err := json.Unmarshal(last, &r.Server); err != nil {
			return nil, fmt.Errorf("%s: what the server said at its end: %w", t.Name, err)
		}
	}
	return r, nil
}

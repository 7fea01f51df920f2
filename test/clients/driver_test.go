package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// A driver is a running script that runs scenarios when it is told to; driver.mjs is
// its other side.
type driver struct {
	scenarios []string
	left      map[string]string // scenarios that it leaves out, and why

	in     io.Writer
	lines  <-chan []byte // closed when the script ends
	stderr *tail
}

// startDriver starts a script. more are the arguments that not every script takes.
func startDriver(t *testing.T, script, client, transport, env string, more ...string) *driver {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", append([]string{script, client, transport}, more...)...)
	cmd.Env = append(os.Environ(), "BENNU_ENV="+env, "BENNU_CHROMIUM="+chromium())
	// The script ends by itself when its input ends. If it does not, it is first
	// asked, so that it can close the browser.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = waittest.Patience
	d := &driver{stderr: &tail{}}
	cmd.Stderr = d.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		for r := bufio.NewReader(out); ; {
			line, err := r.ReadBytes('\n')
			if err != nil {
				return
			}
			lines <- line
		}
	}()
	d.in, d.lines = in, lines
	t.Cleanup(func() {
		in.Close()
		overdue := time.AfterFunc(waittest.Patience, cancel)
		for range lines { // what the script says at its end, and until it ends
		}
		err := cmd.Wait()
		overdue.Stop()
		cancel()
		if err != nil {
			t.Errorf("%s: %v", script, err)
		}
		if s := d.stderr.String(); s != "" && t.Failed() {
			t.Logf("%s wrote:\n%s", script, s)
		}
	})

	var first struct {
		Scenarios []string
		Left      map[string]string
	}
	if err := d.read(&first); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	d.scenarios, d.left = first.Scenarios, first.Left
	return d
}

// runAll has the script run its scenarios, one after the other.
func (d *driver) runAll(t *testing.T) {
	t.Helper()
	for name, reason := range d.left {
		t.Run(name, func(t *testing.T) { t.Skip(reason) })
	}
	for _, name := range d.scenarios {
		t.Run(name, func(t *testing.T) {
			if failure := d.run(t, name); failure != "" {
				t.Error(failure)
			}
		})
	}
}

// run has the script run one scenario, and gives what failed.
func (d *driver) run(t *testing.T, name string) (failure string) {
	t.Helper()
	if _, err := fmt.Fprintln(d.in, name); err != nil {
		t.Fatalf("the script is gone: %v", err)
	}
	var result struct{ Error string }
	if err := d.read(&result); err != nil {
		t.Fatal(err)
	}
	return result.Error
}

func (d *driver) read(v any) error {
	late := time.NewTimer(scenarioTime)
	defer late.Stop()
	select {
	case line, ok := <-d.lines:
		if !ok {
			return fmt.Errorf("the script ended: %s", d.stderr)
		}
		if err := json.Unmarshal(line, v); err != nil {
			return fmt.Errorf("the script wrote %q: %w", line, err)
		}
		return nil
	case <-late.C:
		return fmt.Errorf("nothing after %v: %s", scenarioTime, d.stderr)
	}
}

package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
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
	stderr *tail
	over   chan struct{} // closed when the script says nothing any more

	mu      sync.Mutex
	running map[string]chan string // by the name of a scenario: what fails in it
}

// A line is what the script says: at first what it can do, then how a scenario ended.
type line struct {
	Scenarios []string
	Left      map[string]string

	Scenario string
	Error    string
}

// startDriver starts a script with its settings and arguments.
func startDriver(t *testing.T, settings any, script string, args ...string) *driver {
	t.Helper()
	env, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "BENNU_ENV="+string(env), "BENNU_CHROMIUM="+chromium())
	// The script ends by itself when its input ends. If it does not, it is first
	// asked, so that it can close the browser.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = waittest.Patience
	d := &driver{stderr: &tail{}, over: make(chan struct{}), running: map[string]chan string{}}
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
	d.in = in
	first := make(chan line, 1)
	go d.listen(out, first)
	t.Cleanup(func() {
		in.Close()
		overdue := time.AfterFunc(waittest.Patience, cancel)
		<-d.over
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
	can := waittest.Next(t, script+" lists its scenarios", first)
	if can.Scenarios == nil {
		t.Fatalf("%s ended: %s", script, d.stderr)
	}
	d.scenarios, d.left = can.Scenarios, can.Left
	return d
}

// listen takes what the script says.
func (d *driver) listen(out io.Reader, first chan<- line) {
	defer close(d.over)
	defer close(first)
	for r := bufio.NewReader(out); ; {
		said, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		var l line
		if err := json.Unmarshal(said, &l); err != nil {
			fmt.Fprintf(d.stderr, "%s, which is no line for the test: %v\n", said, err)
			continue
		}
		if l.Scenarios != nil {
			first <- l
			continue
		}
		d.mu.Lock()
		d.running[l.Scenario] <- l.Error
		d.mu.Unlock()
	}
}

// runAll has the script run the scenarios of a group, one after the other.
func (d *driver) runAll(t *testing.T, group string) {
	t.Helper()
	for name, reason := range d.left {
		if name, ok := strings.CutPrefix(name, group); ok {
			t.Run(name, func(t *testing.T) { t.Skip(reason) })
		}
	}
	for _, scenario := range d.scenarios {
		if name, ok := strings.CutPrefix(scenario, group); ok {
			t.Run(name, func(t *testing.T) { d.run(t, scenario) })
		}
	}
}

// run has the script run one scenario.
func (d *driver) run(t *testing.T, scenario string) {
	t.Helper()
	ended := make(chan string, 1)
	d.mu.Lock()
	d.running[scenario] = ended
	d.mu.Unlock()
	if _, err := fmt.Fprintln(d.in, scenario); err != nil {
		t.Fatalf("the script is gone: %v", err)
	}
	late := time.NewTimer(scenarioTime)
	defer late.Stop()
	select {
	case failure := <-ended:
		if failure != "" {
			t.Error(failure)
		}
	case <-d.over:
		t.Fatalf("the script ended: %s", d.stderr)
	case <-late.C:
		t.Fatalf("nothing after %v: %s", scenarioTime, d.stderr)
	}
}

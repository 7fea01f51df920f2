package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
)

// What this program is when it is not the test, and how it is told.
const (
	roleEnv    = "BENNU_CLUSTER_ROLE"
	optionsEnv = "BENNU_CLUSTER_OPTIONS"
	roleNode   = "node"
	roleNATS   = "nats"
	roleKeeper = "keeper"
)

// play is a whole program: it reads its options, prints what the test must know as one
// line, and stops when it is asked to, or when its input ends, which it does with the test.
func play[O, R any](run func(o O) (ready R, stop func() error, err error)) (code int) {
	var o O
	if err := json.Unmarshal([]byte(os.Getenv(optionsEnv)), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ready, stop, err := run(o)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(ready)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		asked <- os.Interrupt
	}()
	<-asked
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is this program in another role.
type process struct {
	t     testing.TB
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	log   *waittest.Buffer
	ended chan struct{}
	err   error // how it ended
	over  bool  // it was killed, or its end was waited for

	tolerates string // in a line of the log, which then tells of no crash
}

// spawn runs one until the end of the test, when it must end well and have told of no
// crash. It returns when ready has been read.
func spawn(t testing.TB, role, name string, options, ready any, prefix ...string) *process {
	t.Helper()
	p, err := trySpawn(t, role, name, options, ready, prefix...)
	if err != nil {
		t.Fatalf("%s %s: %v", role, name, err)
	}
	return p
}

// trySpawn is spawn for one that may not start. The prefix is a command that runs it.
func trySpawn(t testing.TB, role, name string, options, ready any, prefix ...string) (*process, error) {
	t.Helper()
	text, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	args := append(prefix[:len(prefix):len(prefix)], os.Args[0])
	p := &process{t: t, name: name, log: &waittest.Buffer{Most: 1 << 20}, ended: make(chan struct{})}
	p.cmd = exec.Command(args[0], args[1:]...)
	// The race detector lets a program that ends sleep for a second.
	p.cmd.Env = append(os.Environ(), roleEnv+"="+role, optionsEnv+"="+string(text), "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	p.cmd.Stderr = p.log
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	first := make(chan []byte, 1)
	go func() {
		defer close(p.ended)
		r := bufio.NewReader(stdout)
		line, _ := r.ReadBytes('\n')
		first <- line
		_, _ = io.Copy(p.log, r)
		p.err = p.cmd.Wait()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case line := <-first:
		if err := json.Unmarshal(line, ready); err != nil {
			p.kill()
			return nil, fmt.Errorf("it did not start: %s", p.log)
		}
	case <-timer.C:
		p.kill()
		return nil, fmt.Errorf("it did not start: %s", p.log)
	}
	t.Cleanup(func() { p.end(t) })
	return p, nil
}

// kill ends the process with SIGKILL.
func (p *process) kill() {
	p.over = true
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// terminate asks the process to stop, as what runs a program does for a new version, and waits for that.
func (p *process) terminate(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(t)
}

// suspend stops it without ending it: its connections stay, and nothing answers.
func (p *process) suspend(t testing.TB) {
	t.Helper()
	if err := suspend(p.cmd.Process); err != nil {
		t.Fatal(err)
	}
}

func (p *process) resume(t testing.TB) {
	t.Helper()
	if err := resume(p.cmd.Process); err != nil {
		t.Fatal(err)
	}
}

// await waits for the end of a process that was asked to stop.
func (p *process) await(t testing.TB) {
	t.Helper()
	p.over = true
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.ended:
		if p.err != nil {
			t.Errorf("%s ended with %v", p.name, p.err)
		}
	case <-timer.C:
		p.kill()
		t.Errorf("%s did not stop", p.name)
	}
}

// end lets it stop, unless it was killed, and looks at its log.
func (p *process) end(t testing.TB) {
	_ = p.stdin.Close()
	if !p.over {
		_ = resume(p.cmd.Process)
		p.await(t)
	}
	for line := range strings.Lines(p.log.String()) {
		if p.tolerates != "" && strings.Contains(line, p.tolerates) {
			continue
		}
		for _, crash := range []string{"panic", "fatal error", "DATA RACE", "crashed"} {
			if strings.Contains(line, crash) {
				t.Errorf("%q in the log of %s", crash, p.name)
			}
		}
	}
	if t.Failed() {
		t.Logf("the log of %s:\n%s", p.name, p.log)
	}
}

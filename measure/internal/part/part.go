// Package part runs the parts of a measurement as processes of their own, and reads what
// each of them takes.
package part

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/bennu-go/bennu/internal/proc"
)

// A Process is a running part. It belongs to one goroutine.
type Process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start starts a program. It is killed when ctx ends; what it writes to its standard error
// is shown. The caller ends it with Stop or Kill.
func Start(ctx context.Context, program string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.CommandContext(ctx, program, args...)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// StartSaying is Start for a program that prints a line when it is ready. It returns that line.
func StartSaying(ctx context.Context, program string, args ...string) (p *Process, said string, err error) {
	if p, err = Start(ctx, program, args...); err != nil {
		return nil, "", err
	}
	if said, err = p.Line(); err != nil {
		p.Kill()
		return nil, "", fmt.Errorf("%s %s said nothing: %w", program, strings.Join(args, " "), err)
	}
	return p, said, nil
}

// Self is StartSaying for this program with another command.
func Self(ctx context.Context, command string, args ...string) (p *Process, said string, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	return StartSaying(ctx, program, append([]string{command}, args...)...)
}

// Line reads a line of what the process prints.
func (p *Process) Line() (string, error) {
	s, err := p.out.ReadString('\n')
	return strings.TrimSpace(s), err
}

// Ask writes a line to the process and returns the line that it answers.
func (p *Process) Ask(format string, v ...any) (string, error) {
	if _, err := fmt.Fprintf(p.in, format+"\n", v...); err != nil {
		return "", err
	}
	return p.Line()
}

// Number is Ask for a number.
func (p *Process) Number(format string, v ...any) (int, error) {
	s, err := p.Ask(format, v...)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(s)
}

// Discard drops all that the process prints from now on.
func (p *Process) Discard() {
	go func() { _, _ = io.Copy(io.Discard, p.out) }()
}

// Stop interrupts the process, waits until it has ended, and returns the next line it
// printed, if any.
func (p *Process) Stop() (last string) {
	_ = p.cmd.Process.Signal(os.Interrupt)
	kill := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	last, _ = p.Line()
	_ = p.cmd.Wait()
	return last
}

// Kill ends the process at once.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// CPU is what the process has used of the processors, user and system.
func (p *Process) CPU() (time.Duration, error) { return proc.CPU(p.PID()) }

// Memory is its resident memory in bytes.
func (p *Process) Memory() (int64, error) { return proc.Memory(p.PID()) }

// BytesRead is what it has read from all its files and connections.
func (p *Process) BytesRead() (int64, error) { return proc.BytesRead(p.PID()) }

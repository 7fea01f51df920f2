package bench

import (
	"fmt"
	"time"

	"github.com/bennu-go/bennu/internal/proc"
)

// process reads the processor time and memory of a process on this machine. The zero value is none.
type process struct{ pid int }

// cpu returns the processor time so far, that of the user and the system.
func (p process) cpu() (time.Duration, error) {
	if p.pid == 0 {
		return 0, nil
	}
	d, err := proc.CPU(p.pid)
	return d, p.unreadable(err)
}

// memory returns the resident memory in bytes.
func (p process) memory() (int64, error) {
	if p.pid == 0 {
		return 0, nil
	}
	n, err := proc.Memory(p.pid)
	return n, p.unreadable(err)
}

func (p process) unreadable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the process %d of the server cannot be read: %w", p.pid, err)
}

// cpuMeter measures the processor time of both processes since it was made.
type cpuMeter struct {
	server           process
	serverAt, selfAt time.Duration
}

func (l *loop) meter() (*cpuMeter, error) {
	m := &cpuMeter{server: l.server}
	var err error
	if m.serverAt, err = l.server.cpu(); err != nil {
		return nil, err
	}
	m.selfAt, err = l.self.cpu()
	return m, err
}

// cost returns the processor time, in all and for each of n operations.
func (l *loop) cost(m *cpuMeter, n int) (Cost, error) {
	server, err := l.server.cpu()
	if err != nil {
		return Cost{}, err
	}
	self, err := l.self.cpu()
	if err != nil {
		return Cost{}, err
	}
	c := Cost{Server: seconds(server - m.serverAt), Bench: seconds(self - m.selfAt)}
	if n > 0 {
		c.ServerPerOp, c.BenchPerOp = c.Server*1e6/float64(n), c.Bench*1e6/float64(n)
	}
	return c, nil
}

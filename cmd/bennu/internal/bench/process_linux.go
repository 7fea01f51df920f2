package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// process reads what a process on this machine takes. The zero value is none.
type process struct{ pid int }

// cpu is the time on processors so far, of the user and the system.
func (p process) cpu() (time.Duration, error) {
	if p.pid == 0 {
		return 0, nil
	}
	// The clock of another process, as clock_getcpuclockid makes it: it counts
	// nanoseconds where /proc/PID/stat counts hundredths of a second.
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^p.pid<<3|2), &t); err == nil {
		return time.Duration(t.Nano()), nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, fmt.Errorf("the process %d of the server cannot be read: %w", p.pid, err)
	}
	return parseStat(stat)
}

// parseStat finds user and system time in /proc/PID/stat.
func parseStat(stat []byte) (time.Duration, error) {
	// The name of the program, in brackets, may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/PID/stat has no times")
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	const tick = time.Second / 100
	return time.Duration(user+system) * tick, err
}

// memory is the resident memory in bytes.
func (p process) memory() (int64, error) {
	if p.pid == 0 {
		return 0, nil
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0, fmt.Errorf("the process %d of the server cannot be read: %w", p.pid, err)
	}
	return parseStatus(status)
}

// parseStatus finds the resident memory in /proc/PID/status.
func parseStatus(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kb, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/PID/status has no VmRSS")
}

// cpuMeter tells what both processes took since it was made.
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

// cost is what was taken, in all and for each of n operations.
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

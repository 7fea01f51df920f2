// Package proc reads from Linux what a process of this machine takes. On other systems all
// of it fails.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// CPU is the time on processors so far, of the user and the system.
func CPU(pid int) (time.Duration, error) {
	if d, ok := clock(pid); ok {
		return d, nil
	}
	stat, err := read(pid, "stat")
	if err != nil {
		return 0, err
	}
	return parseStat(stat)
}

// Memory is the resident memory in bytes.
func Memory(pid int) (int64, error) {
	status, err := read(pid, "status")
	if err != nil {
		return 0, err
	}
	kb, err := number(status, "VmRSS", "kB")
	return kb << 10, err
}

// BytesRead is how many bytes the process has read from all its files and connections.
func BytesRead(pid int) (int64, error) {
	counts, err := read(pid, "io")
	if err != nil {
		return 0, err
	}
	return number(counts, "rchar", "")
}

func read(pid int, name string) ([]byte, error) {
	return os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
}

// parseStat finds user and system time in /proc/PID/stat.
func parseStat(stat []byte) (time.Duration, error) {
	// The name of the program, in brackets, may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat has no times")
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	const tick = time.Second / 100
	return time.Duration(user+system) * tick, err
}

// number finds the line "name: 123 unit".
func number(text []byte, name, unit string) (int64, error) {
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			value = bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(unit)))
			return strconv.ParseInt(string(value), 10, 64)
		}
	}
	return 0, fmt.Errorf("/proc has no %s of the process", name)
}

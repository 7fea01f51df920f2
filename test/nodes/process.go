package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// process is a part of the measurement.
type process struct {
	*exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	hello string // the first line
}

func start(hello bool, program string, args ...string) (*process, error) {
	p := &process{Cmd: exec.Command(program, args...)}
	p.Stderr = os.Stderr
	var err error
	if p.in, err = p.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.Start(); err != nil {
		return nil, err
	}
	if hello {
		if p.hello, err = p.line(); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
		}
	}
	return p, nil
}

// self starts this program in a role.
func self(role string, args ...string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(true, program, append([]string{"-role", role}, args...)...)
}

func (p *process) line() (string, error) {
	s, err := p.out.ReadString('\n')
	return strings.TrimSpace(s), err
}

// ask sends a command and returns the answer.
func (p *process) ask(format string, v ...any) (string, error) {
	if _, err := fmt.Fprintf(p.in, format+"\n", v...); err != nil {
		return "", err
	}
	return p.line()
}

// number is ask for one.
func (p *process) number(format string, v ...any) (int, error) {
	s, err := p.ask(format, v...)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(s)
}

func (p *process) end() {
	_ = p.Process.Kill()
	_ = p.Wait()
}

// cpu is what the process has used, user and system.
func (p *process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may have spaces.
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	const tick = time.Second / 100
	return time.Duration(user+system) * tick
}

// resident is its memory in bytes.
func (p *process) resident() int {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.Process.Pid))
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(statm))[1])
	return pages * os.Getpagesize()
}

// freePort is a port that nobody listens on.
func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// runNATS is a NATS server, until it is told to end.
func runNATS(args []string) error {
	port, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return errors.New("the NATS server does not start")
	}
	fmt.Println("ready")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	<-stop
	s.Shutdown()
	return nil
}

// startBroker starts a broker on a port and returns its URL.
func startBroker(kind string, port int) (p *process, url string, err error) {
	switch kind {
	case "nats":
		p, err = self("nats", strconv.Itoa(port))
		return p, fmt.Sprintf("nats://127.0.0.1:%d", port), err
	case "redis":
		p, err = start(false, "redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
		if err != nil {
			return nil, "", fmt.Errorf("%w; install redis-server", err)
		}
		go func() { _, _ = io.Copy(io.Discard, p.out) }()
		for range 1000 {
			c, dialErr := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err = dialErr; err == nil {
				c.Close()
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		return p, fmt.Sprintf("redis://127.0.0.1:%d", port), err
	}
	return nil, "", fmt.Errorf("-broker is %q; use nats, embedded or redis", kind)
}

// bytesRead is what the process has read from all its files and connections.
func (p *process) bytesRead() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if n, ok := strings.CutPrefix(line, "rchar: "); ok {
			return strconv.Atoi(n)
		}
	}
	return 0, errors.New("/proc has no count of bytes read")
}

package cli

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/bennu-go/bennu/internal/redact"
)

// defaultPort is the port of a proposed address.
const defaultPort = "4000"

// CheckAddr returns an error if the flag --addr is not an address to serve on. The error proposes
// another one.
func CheckAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	switch _, badPort := net.LookupPort("tcp", port); {
	case err != nil, port == "", strings.ContainsAny(host+port, "/@ "):
		return Usagef("--addr %q is not host:port; %s would be", redact.Text(addr), likelyAddr(addr))
	case badPort != nil:
		return Usagef("--addr %q has a wrong port; a port is a number up to 65535, and 0 picks a free one", redact.Text(addr))
	}
	return nil
}

// likelyAddr returns the host:port that the user probably meant.
func likelyAddr(addr string) string {
	_, rest, found := strings.Cut(addr, "://")
	if !found {
		rest = addr
	}
	rest, _, _ = strings.Cut(rest, "/")
	host, port, err := net.SplitHostPort(rest)
	switch {
	case err == nil:
	case regexp.MustCompile(`^\d{1,5}$`).MatchString(rest):
		host, port = "127.0.0.1", rest
	default:
		host = strings.Trim(rest, "[]")
	}
	if port == "" {
		port = defaultPort
	}
	if _, err := net.LookupPort("tcp", port); err != nil || net.ParseIP(host) == nil && !regexp.MustCompile(`^[A-Za-z0-9.-]*$`).MatchString(host) || host == "" && port == defaultPort {
		host, port = "127.0.0.1", defaultPort
	}
	return net.JoinHostPort(host, port)
}

// ListenError says why a command cannot serve on an address, and what to do about it.
func ListenError(addr string, err error) error {
	host, port, _ := net.SplitHostPort(addr)
	var unknown *net.DNSError
	switch {
	case portTaken(err):
		return fmt.Errorf("port %s is taken: another program serves on %s already.\nStop that program, or use another port:  --addr %s", port, addr, NextAddr(addr))
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("cannot serve on %s: the system does not let ordinary users serve on port %s.\nUse a port above 1023:  --addr %s", addr, port, net.JoinHostPort(host, defaultPort))
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.As(err, &unknown):
		return fmt.Errorf("cannot serve on %s: this machine has no address %s.\nTo be reached from this machine alone:  --addr 127.0.0.1:%s\nTo be reached from everywhere:  --addr 0.0.0.0:%[3]s", addr, host, port)
	}
	return fmt.Errorf("cannot serve on %s: %w; --addr chooses another address", addr, err)
}

// NextAddr returns an address with the next port.
func NextAddr(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if n, convErr := strconv.Atoi(port); err == nil && convErr == nil && n < 65535 {
		return net.JoinHostPort(host, strconv.Itoa(n+1))
	}
	return net.JoinHostPort(host, "0")
}

func portTaken(err error) bool {
	// Windows has another number for this error, which package syscall does not name on other
	// systems.
	const wsaAddrInUse = syscall.Errno(10048)
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaAddrInUse)
}

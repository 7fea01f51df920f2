package cli

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestCheckAddr(t *testing.T) {
	for addr, want := range map[string]string{ // the error, "" for none
		"127.0.0.1:4000":             "",
		":4000":                      "",
		"localhost:0":                "",
		"localhost:http":             "",
		"[::1]:4000":                 "",
		"0.0.0.0:65535":              "",
		"":                           `--addr "" is not host:port; 127.0.0.1:4000 would be`,
		"4000":                       `--addr "4000" is not host:port; 127.0.0.1:4000 would be`,
		"8080":                       `--addr "8080" is not host:port; 127.0.0.1:8080 would be`,
		"localhost":                  `--addr "localhost" is not host:port; localhost:4000 would be`,
		"localhost:":                 `--addr "localhost:" is not host:port; localhost:4000 would be`,
		":":                          `--addr ":" is not host:port; 127.0.0.1:4000 would be`,
		"::1":                        `--addr "::1" is not host:port; [::1]:4000 would be`,
		"[::1]":                      `--addr "[::1]" is not host:port; [::1]:4000 would be`,
		"http://localhost:8080":      `--addr "http://localhost:8080" is not host:port; localhost:8080 would be`,
		"http://localhost":           `--addr "http://localhost" is not host:port; localhost:4000 would be`,
		"ws://localhost:8080/socket": `localhost:8080 would be`,
		"localhost:8080/socket":      `localhost:8080 would be`,
		"a b:4000":                   `127.0.0.1:4000 would be`,
		"x:y:z":                      `127.0.0.1:4000 would be`,
		"127.0.0.1:99999":            `has a wrong port; a port is a number up to 65535, and 0 picks a free one`,
		"localhost:-1":               `has a wrong port`,
		"localhost:port":             `has a wrong port`,
	} {
		err := CheckAddr(addr)
		if m := (misuse{}); want == "" && err != nil || want != "" && (!errors.As(err, &m) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", addr, err, want)
		}
	}
	if err := CheckAddr("http://u:sesame@localhost"); err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("a password is shown: %v", err)
	}
}

func TestListenError(t *testing.T) {
	for _, tt := range []struct {
		addr string
		err  error
		want string
	}{
		{"127.0.0.1:4000", &net.OpError{Err: syscall.EADDRINUSE}, "port 4000 is taken: another program serves on 127.0.0.1:4000 already.\nStop that program, or use another port:  --addr 127.0.0.1:4001"},
		{"127.0.0.1:65535", &net.OpError{Err: syscall.EADDRINUSE}, "--addr 127.0.0.1:0"},
		{":80", &net.OpError{Err: syscall.EACCES}, "--addr :4000"},
		{"192.0.2.1:4000", &net.OpError{Err: syscall.EADDRNOTAVAIL}, "this machine has no address 192.0.2.1.\nTo be reached from this machine alone:  --addr 127.0.0.1:4000\n"},
		{"nobody.invalid:4000", &net.OpError{Err: &net.DNSError{Name: "nobody.invalid"}}, "this machine has no address nobody.invalid."},
		{"127.0.0.1:4000", syscall.EMFILE, "cannot serve on 127.0.0.1:4000: too many open files; --addr chooses another address"},
	} {
		if got := ListenError(tt.addr, tt.err).Error(); !strings.Contains(got, tt.want) {
			t.Errorf("%v on %s: %q, want %q in it", tt.err, tt.addr, got, tt.want)
		}
	}
}

package bench

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
)

func TestUsage(t *testing.T) {
	const url = "ws://127.0.0.1:1/socket"
	for args, want := range map[string]string{
		"":                                   "the URL of a server, such as ws://127.0.0.1:4050/socket, is missing",
		url + " x":                           `unexpected argument "x"`,
		"ws://192.0.2.1/s":                   "add --i-own-the-target",
		url + " --app chat":                  `--app "chat" is not known; use bench or demo`,
		url + " --phases echo,dance":         `--phases has "dance"; the phases are connect, echo, load, broadcast, ahead, slow, reconnect`,
		url + " --phases=":                   "--phases is empty; the phases are connect, echo,",
		url + " --heartbeat -1s":             "--heartbeat is -1s; use 10ms to 240h",
		url + " --echo-time 0s":              "--echo-time is 0s; use 1ms to 24h",
		"server --addr 4050":                 `--addr "4050" is not host:port; 127.0.0.1:4050 would be`,
		url + " --connections 0":             "--connections is 0; use 1 to 1048576",
		url + " --echo-rate NaN":             "--echo-rate is NaN",
		url + " --topic room":                "--topic needs {c}",
		url + " --topics 2 --topic room:{c}": "and {t} for that of the topic",
		url + " --join-payload {":            "--join-payload is no JSON",
		url + " --broadcast-payload {}":      "has no {text} in it",
		url + " --slow-readers 200":          "leaves nobody who reads among 200 subscribers",
		url + " --speed 9":                   "unknown flag: --speed",
		"server --addr":                      "flag needs an argument",
		"server now":                         `unexpected argument "now"`,
		url + " --connections 10 --slow-readers 9 --slow-subscribers 9": "leaves nobody who reads among 9",
	} {
		t.Run(args, func(t *testing.T) {
			var out, errOut strings.Builder
			root := cli.Root(strings.NewReader(""), &out, &errOut, Command())
			code := cli.Run(context.Background(), root, append([]string{"bench"}, strings.Fields(args)...))
			if code != cli.Misuse || out.Len() > 0 || !strings.Contains(errOut.String(), want) {
				t.Errorf("exit code %d, stdout %q, stderr %q, want %q", code, out.String(), errOut.String(), want)
			}
		})
	}
}

// The server prints its address and process id, and ends after a signal.
func TestServerCommand(t *testing.T) {
	read, write := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	code := make(chan int, 1)
	go func() {
		root := cli.Root(strings.NewReader(""), write, io.Discard, Command())
		code <- cli.Run(ctx, root, []string{"bench", "server", "--addr", "127.0.0.1:0", "--json"})
		write.Close()
	}()
	var where struct {
		URL string
		PID int
	}
	if err := json.NewDecoder(read).Decode(&where); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(where.URL, "ws://127.0.0.1:") || !strings.HasSuffix(where.URL, "/socket") || where.PID != os.Getpid() {
		t.Errorf("got %+v", where)
	}
	runtime.GC()
	cancel()
	var collector Collector
	if err := json.NewDecoder(read).Decode(&collector); err != nil || collector.Cycles == 0 {
		t.Errorf("then came %+v, %v", collector, err)
	}
	if rest, err := io.ReadAll(read); err != nil || strings.TrimSpace(string(rest)) != "" {
		t.Errorf("then came %q, %v", rest, err)
	}
	if got := <-code; got != cli.OK {
		t.Errorf("exit code %d", got)
	}

	var out, errOut strings.Builder
	root := cli.Root(strings.NewReader(""), &out, &errOut, Command())
	if got := cli.Run(context.Background(), root, []string{"bench", "server", "--addr", "192.0.2.1:4050"}); got != cli.Failed || !strings.Contains(errOut.String(), "cannot serve on 192.0.2.1:4050") {
		t.Errorf("exit code %d, stderr %q", got, errOut.String())
	}
}

// bench accepts the address that the server prints, wherever it listens.
func TestReachable(t *testing.T) {
	for addr, want := range map[string]string{
		"0.0.0.0:4050": "127.0.0.1:4050", "[::]:4050": "127.0.0.1:4050", "127.0.0.2:4050": "127.0.0.2:4050", "[::1]:4050": "[::1]:4050",
	} {
		got := reachable(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
		if _, err := parseTarget(context.Background(), "ws://"+got+"/socket", false); got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", addr, got, err, want)
		}
	}
}

// A host name that does not resolve is not a mistake in the command line.
func TestUnknownHost(t *testing.T) {
	var out, errOut strings.Builder
	root := cli.Root(strings.NewReader(""), &out, &errOut, Command())
	code := cli.Run(context.Background(), root, []string{"bench", "ws://nobody.invalid/socket"})
	if want := "bennu bench: the host nobody.invalid has no address\n"; code != cli.Failed || out.Len() > 0 || errOut.String() != want {
		t.Errorf("exit code %d, stdout %q, stderr %q, want %q", code, out.String(), errOut.String(), want)
	}
}

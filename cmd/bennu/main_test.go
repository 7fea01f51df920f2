package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine behind, and none is told of the machine's own nodes.
func TestMain(m *testing.M) {
	os.Unsetenv(pubsubEnv)
	os.Unsetenv(secretEnv)
	goleak.VerifyTestMain(m)
}

func TestRun(t *testing.T) {
	tests := []struct {
		args []string
		code int
		out  string // in standard output
		err  string // in standard error
	}{
		{nil, exitUsage, "", "bennu demo"},
		{[]string{"help"}, exitOK, "bennu demo", ""},
		{[]string{"--help"}, exitOK, "bennu demo", ""},
		{[]string{"dance"}, exitUsage, "", `no command "dance"`},
		{[]string{"demo", "-h"}, exitOK, "-addr host:port", ""},
		{[]string{"demo", "--help"}, exitOK, "bennu demo --addr 127.0.0.1:4001 --pubsub 'nats+embed://:6223?peers=127.0.0.1:6222'", ""},
		{[]string{"demo", "redis://u:sesame@here"}, exitUsage, "", `unexpected argument "redis://[FILTERED]@here"`},
		{[]string{"demo", "--pubsub", "kafka://here"}, exitUsage, "", "bennu demo: --pubsub begins with kafka://"},
		{[]string{"demo", "--node", "a b"}, exitUsage, "", `--node "a b" cannot be a name`},
		{[]string{"demo", "--port", "1"}, exitUsage, "", "flag provided but not defined: -port"},
		{[]string{"demo", "now"}, exitUsage, "", `unexpected argument "now"`},
		{[]string{"demo", "--addr", "nonsense"}, exitError, "", `"nonsense" is not host:port`},
		{[]string{"demo", "--addr", "127.0.0.1:99999"}, exitError, "", "cannot serve on 127.0.0.1:99999"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			var out, err strings.Builder
			if code := run(context.Background(), tt.args, &out, &err); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, stream := range []struct{ name, got, want string }{{"stdout", out.String(), tt.out}, {"stderr", err.String(), tt.err}} {
				if !strings.Contains(stream.got, stream.want) || (stream.want == "") != (stream.got == "") {
					t.Errorf("%s: got %q, want %q in it", stream.name, stream.got, stream.want)
				}
			}
		})
	}
}

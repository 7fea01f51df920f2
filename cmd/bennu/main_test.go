package main

import (
	"context"
	"strings"
	"testing"
)

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

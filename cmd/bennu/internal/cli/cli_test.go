package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIsTerminal(t *testing.T) {
	open := func(name string, flag int) *os.File {
		t.Helper()
		f, err := os.OpenFile(name, flag, 0o600)
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	for name, tt := range map[string]struct {
		stream any
		want   bool
	}{
		"a file":    {open(filepath.Join(t.TempDir(), "x"), os.O_CREATE), false},
		"the null":  {open(os.DevNull, os.O_RDWR), false},
		"no file":   {&strings.Builder{}, false},
		"no stream": {nil, false},
	} {
		if got := IsTerminal(tt.stream); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if terminal := open("/dev/ptmx", os.O_RDWR); !IsTerminal(terminal) { // the other end of one
		t.Error("a terminal is none")
	}
}

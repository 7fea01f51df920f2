package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/waittest"
)

// asMeasure has the test's program be this one, for parts of measurements are processes.
const asMeasure = "BENNU_AS_MEASURE"

func TestMain(m *testing.M) {
	if os.Getenv(asMeasure) != "" {
		main()
		return
	}
	waittest.Main(m)
}

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct{ args, err, help string }{
		{"", "which measurement?", "  clientmemory "},
		{"help", "", "  nodes "},
		{"speed", `there is no measurement "speed"`, "  bench "},
		{"bench -h", "", "-connections"},
		{"bench -runs 0", "-runs must be at least 1", ""},
		{"bench -connections 1000,x", `"x" is no number`, ""},
		{"memory -clients 5", "flag provided but not defined", "-no-epoll"},
		{"nodes -broker pigeons", `-broker is "pigeons"`, ""},
	} {
		var help strings.Builder
		err := run(t.Context(), strings.Fields(tt.args), &help)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: error %v, want %q", tt.args, err, tt.err)
		}
		if !strings.Contains(help.String(), tt.help) {
			t.Errorf("%q shows no %q:\n%s", tt.args, tt.help, help.String())
		}
	}
}

func TestNames(t *testing.T) {
	var names []string
	for _, c := range append(measurements, parts...) {
		names = append(names, c.name)
	}
	slices.Sort(names)
	if len(slices.Compact(names)) < len(measurements)+len(parts) {
		t.Errorf("two commands have one name: %v", names)
	}
}

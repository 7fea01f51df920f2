package demo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPageWaits checks that the page waits longer if connections or joins end soon each time.
func TestPageWaits(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("BENNU_REQUIRE_CLIENTS") != "" {
			t.Fatal("Node is not installed, and BENNU_REQUIRE_CLIENTS is set: run `make deps`")
		}
		t.Skip("NOT RUN: Node is not installed. `make deps` says what is needed.")
	}
	text, err := os.ReadFile(filepath.Join("page", "socket.js"))
	if err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(t.TempDir(), "socket.mjs") // the name tells node that it is a module
	if err := os.WriteFile(module, text, 0o666); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(node, filepath.Join("testdata", "socket_test.mjs"), module).CombinedOutput()
	const want = `{"reconnects":[10,50,100,150,10,10,50],"rejoins":[1000,2000,5000,1000,1000,2000]}`
	if err != nil || !strings.Contains(string(said), want) {
		t.Errorf("%v: printed %s, want %s", err, said, want)
	}
}

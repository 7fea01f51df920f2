//go:build linux || darwin

package connect

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/testport"
)

// The session of README.md has the output that README.md shows. The command runs against the demo,
// which also has the channel of the first program.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "README.md"))
	must(t, err)
	block := regexp.MustCompile("(?s)```console\n\\$ go run -tags nobrokers ./cmd/bennu (connect [^\n]+)\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("README.md shows no session of connect")
	}
	bennu := proctest.Build(t, "github.com/bennu-go/bennu/cmd/bennu", "-tags=nobrokers")
	addr := testport.Addr(t)
	demo := proctest.Start(t, "demo", []string{"BENNU_PUBSUB=", "BENNU_SECRET="}, bennu, "demo", "--addr", addr)
	demo.Await(t, `Ctrl\+C stops the demo`)

	args := strings.Fields(strings.ReplaceAll(string(block[1]), "localhost:4000", addr))
	y := startTypist(t, bennu, nil, args...)
	y.shows("ok to join")
	typed := 0
	for line := range strings.Lines(string(block[2])) {
		line = strings.TrimSuffix(line, "\n")
		if _, input, found := strings.Cut(line, "> "); found {
			y.keys(input + "\r")
			typed++
			continue
		}
		// A frame, without its time and the time of a reply.
		shown := regexp.QuoteMeta(strings.TrimLeft(line, "0123456789:. "))
		shown = regexp.MustCompile(`in \d+\\\.\d ms`).ReplaceAllString(shown, `in \d+(\.\d)? m?s`)
		y.until(line, func(text string) bool { return regexp.MustCompile(shown).MatchString(text) })
	}
	if typed == 0 {
		t.Error("README.md types nothing")
	}
	y.keys("quit\r")
	if code := y.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

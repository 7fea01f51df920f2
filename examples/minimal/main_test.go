package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README shows code that is compiled and tested: each block says which
// file it is from, and must stand there to the letter.
func TestReadmeShowsRealCode(t *testing.T) {
	root := filepath.Join("..", "..")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)<!-- file: ([^ ]+) -->\n```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) == 0 || strings.Count(string(readme), "```go\n") != len(blocks) {
		t.Fatalf("the README has %d Go blocks, %d of which name their file", strings.Count(string(readme), "```go\n"), len(blocks))
	}
	for _, b := range blocks {
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(b[1])))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), b[2]) {
			t.Errorf("a block of the README is not in %s any more:\n%s", b[1], b[2])
		}
	}
}

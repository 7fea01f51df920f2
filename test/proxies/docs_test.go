package proxies

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The documentation shows what the tests run: each block says which file it is
// from, and must stand there to the letter once the recipe is filled in.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/proxies.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)<!-- file: ([^ ]+) -->\n```[a-z]+\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if fences := strings.Count(string(text), "```"); len(blocks) == 0 || fences != 2*len(blocks) {
		t.Fatalf("docs/proxies.md has %d fences for %d blocks that name their file", fences, len(blocks))
	}
	shown := map[string]bool{}
	for _, b := range blocks {
		path := filepath.Base(b[1])
		shown[path] = true
		i := slices.IndexFunc(kinds, func(k *kind) bool { return slices.Contains(k.files, path) })
		var source []byte
		if i >= 0 {
			source = kinds[i].documented(t)
		} else if source, err = os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(b[1]))); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), b[2]) {
			t.Errorf("a block of docs/proxies.md is not in %s any more:\n%s", b[1], b[2])
		}
	}
	for _, k := range kinds {
		for _, path := range k.files {
			if !shown[path] {
				t.Errorf("docs/proxies.md shows nothing of %s", path)
			}
		}
	}
}

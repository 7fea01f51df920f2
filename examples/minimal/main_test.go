package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// README.md and these pages of docs show code that is compiled and tested: each block names
// its file, which must contain it to the letter. The output of an example is compared with
// its Output comment.
func TestDocsShowRealCode(t *testing.T) {
	root := filepath.Join("..", "..")
	blocks := regexp.MustCompile("(?s)<!-- (file|output): ([^ ]+) -->\n```(?:go)?\n(.*?)```")
	for _, name := range []string{"README.md", "docs/presence.md", "docs/testing.md", "docs/middleware.md"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
			if err != nil {
				t.Fatal(err)
			}
			text := string(data)
			found := blocks.FindAllStringSubmatch(text, -1)
			named := strings.Count(text, "<!-- file: ") + strings.Count(text, "<!-- output: ")
			if n := strings.Count(text, "```go\n"); n == 0 || n > len(found) && name != "docs/security.md" || named != len(found) || named == 0 {
				t.Fatalf("%d Go blocks, %d names of files, %d blocks with one", n, named, len(found))
			}
			for _, b := range found {
				source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(b[2])))
				if err != nil {
					t.Fatal(err)
				}
				code := b[3]
				if b[1] == "output" {
					code = regexp.MustCompile("(?m)^").ReplaceAllString(strings.TrimSuffix(code, "\n"), "\t// ")
				}
				if !strings.Contains(string(source), code) {
					t.Errorf("a block is not in %s any more:\n%s", b[2], code)
				}
			}
		})
	}
}

// The comments of packages show code that is compiled and tested, too.
func TestPackageCommentsShowRealCode(t *testing.T) {
	root := filepath.Join("..", "..")
	for name, from := range map[string]string{
		"presence/doc.go":    "examples/presence/room.go",
		"channeltest/doc.go": "channeltest/docs_test.go",
	} {
		comment, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(from)))
		if err != nil {
			t.Fatal(err)
		}
		blocks := regexp.MustCompile(`(?m)(?:^//\t.*\n(?:^//\n(?:^//\t))?)+`).FindAllString(string(comment), -1)
		if len(blocks) == 0 {
			t.Errorf("%s shows no code", name)
		}
		for _, block := range blocks {
			code := regexp.MustCompile("(?m)^//\t?").ReplaceAllString(block, "")
			indented := strings.TrimRight(regexp.MustCompile("(?m)^(.)").ReplaceAllString(code, "\t$1"), "\n")
			if !strings.Contains(string(source), code) && !strings.Contains(string(source), indented) {
				t.Errorf("%s shows what is not in %s:\n%s", name, from, code)
			}
		}
	}
}

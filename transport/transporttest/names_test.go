package transporttest

import (
	"os"
	"strings"
	"testing"
)

// TestNames checks that the package comment lists the names of all checks.
func TestNames(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var want string
	group := ""
	for _, c := range checks() {
		g, name, ok := strings.Cut(c.name, "/")
		switch {
		case !ok || strings.Contains(name, "/"):
			t.Errorf("the name %q has not one slash", c.name)
		case g == group:
			want += ", " + name
		default:
			want += "\n//\t" + g + ": " + name
			group = g
		}
	}
	if !strings.Contains(string(text), want+"\n//\n") {
		t.Errorf("doc.go must have these names:%s", want)
	}
}

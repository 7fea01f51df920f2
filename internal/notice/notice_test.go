package notice

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTable(t *testing.T) {
	names := map[string]Kind{}
	word := regexp.MustCompile(`^[a-z][a-z0-9_]+$`)
	for _, k := range All() {
		e := k.Entry()
		if earlier, ok := names[e.Name]; ok {
			t.Errorf("kinds %d and %d are both called %q", earlier, k, e.Name)
		}
		names[e.Name] = k
		if !word.MatchString(e.Name) || e.Message == "" || e.Fix == "" {
			t.Errorf("kind %d, %q, has no name, no message or no advice: %+v", k, e.Name, e)
		}
		// A line that an operator sees by default must say what to do about it.
		if e.Fix == "nothing" && e.Level > slog.LevelDebug {
			t.Errorf("%s is written at level %v and says to do nothing, without saying when", e.Name, e.Level)
		}
	}
}

func TestBook(t *testing.T) {
	var out bytes.Buffer
	b := NewBook(slog.New(slog.NewTextHandler(&out, nil)))
	b.Say(Origin, slog.String("origin", "https://a.test"))
	b.Say(StaleRef)
	b.Tally(BinaryFrame)
	line := out.String()
	for _, want := range []string{"level=WARN", `msg="` + table[Origin].Message + `"`, "reason=origin origin=https://a.test fix="} {
		if !strings.Contains(line, want) {
			t.Errorf("the line lacks %s: %s", want, line)
		}
	}
	if strings.Count(line, "\n") != 1 {
		t.Errorf("what is said at level debug, or only counted, has a line: %s", line)
	}
	if got := fmt.Sprint(b.Counts()); got != "map[binary_frame:1 origin:1 stale_join_ref:1]" || b.Count(Origin) != 1 {
		t.Errorf("counts %s", got)
	}
	if of := Of(slog.New(b.Handler())); of != b {
		t.Error("a logger with the Book's handler leads to another Book")
	}
	if of := Of(slog.New(b.Handler()).With("a", 1)); of == b {
		t.Error("a logger with attributes would lose them")
	}
}

// panics is a handler of the program's that fails.
type panics struct{ slog.Handler }

func (panics) Handle(context.Context, slog.Record) error { panic("disk full") }

func TestHandlerThatPanics(t *testing.T) {
	b := NewBook(slog.New(panics{slog.NewTextHandler(&bytes.Buffer{}, nil)}))
	b.Say(Origin)
	slog.New(b.Handler()).Error("another")
	if b.Count(Origin) != 1 {
		t.Error("not counted")
	}
}

func TestForeign(t *testing.T) {
	for _, long := range []string{strings.Repeat("x", 1000), strings.Repeat("é", 500), strings.Repeat("\xa9", 500)} {
		if got := Foreign("k", long).Value.String(); len(got) > maxForeign+3 || utf8.ValidString(long) && !utf8.ValidString(got) {
			t.Errorf("%q", got)
		}
	}
	if got := Foreign("k", "short").Value.String(); got != "short" {
		t.Errorf("%q", got)
	}
}

func TestAddress(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	if got := Address(r); got != r.RemoteAddr {
		t.Errorf("%q", got)
	}
	if r = WithAddress(r, "192.0.2.7"); Address(r) != "192.0.2.7" || Counted(r.Context()) != "192.0.2.7" {
		t.Errorf("%q", Address(r))
	}
}

var update = flag.Bool("update", false, "write the table in docs/troubleshooting.md anew")

const page = "../../docs/troubleshooting.md"

// TestPage holds the table of the page equal to this package's.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- notices -->\n", "<!-- end of notices -->"
	before, rest, ok := strings.Cut(string(text), begin)
	have, after, also := strings.Cut(rest, end)
	if !ok || !also {
		t.Fatalf("%s lacks the lines that enclose the table", page)
	}
	var want strings.Builder
	want.WriteString("\n| reason | line | level | what to change |\n|---|---|---|---|\n")
	for _, k := range All() {
		e := k.Entry()
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", e.Name, e.Message, strings.ToLower(e.Level.String()), e.Fix)
	}
	want.WriteString("\n")
	if have == want.String() {
		return
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+want.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the table of %s is not that of this package; run: go test ./internal/notice -run TestPage -update", page)
}

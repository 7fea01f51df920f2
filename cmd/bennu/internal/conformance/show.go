package conformance

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	wire "github.com/bennu-go/bennu/internal/conformance"
)

// A line is what --json prints of a case.
type line struct {
	ID    string `json:"id"`
	Given string `json:"given"`
	OK    *bool  `json:"ok,omitempty"` // nil in a list
	Step  int    `json:"step,omitempty"`
	Verb  string `json:"verb,omitempty"`
	Error string `json:"error,omitempty"`
	Got   string `json:"got,omitempty"`
	Want  string `json:"want,omitempty"`
}

func (p *printer) list(cases []wire.Case) error {
	for _, c := range cases {
		if p.json {
			if err := p.object(line{ID: c.ID, Given: c.Given}); err != nil {
				return err
			}
		} else if _, err := fmt.Fprintf(p.out, "%-6s %s\n", c.ID, c.Given); err != nil {
			return err
		}
	}
	return nil
}

// begin shows on a terminal that a case begins.
func (p *printer) begin(i, n int, c wire.Case) {
	if p.progress != nil {
		fmt.Fprintf(p.progress, "\r\x1b[K%d of %d, %d failed: %s", i+1, n, p.failed, c.ID)
	}
}

func (p *printer) clear() {
	if p.progress != nil {
		io.WriteString(p.progress, "\r\x1b[K")
	}
}

// end shows the result of a case.
func (p *printer) end(c wire.Case, failed error) error {
	p.clear()
	var f *wire.Failure
	if failed != nil {
		p.failed++
		if !errors.As(failed, &f) {
			f = &wire.Failure{Case: c.ID, Err: failed}
		}
	}
	switch {
	case p.json:
		l := line{ID: c.ID, Given: c.Given, OK: new(f == nil)}
		if f != nil {
			l.Step, l.Verb, l.Error, l.Got, l.Want = f.Step, f.Verb, f.Err.Error(), f.Got, f.Want
		}
		return p.object(l)
	case f != nil:
		_, err := io.WriteString(p.out, tell(c, f))
		return err
	case p.verbose:
		_, err := fmt.Fprintf(p.out, "ok    %-6s %s\n", c.ID, c.Given)
		return err
	}
	return nil
}

func (p *printer) summary(n int) error {
	if p.json {
		return nil
	}
	_, err := fmt.Fprintf(p.out, "%d passed, %d failed\n", n-p.failed, p.failed)
	return err
}

func (p *printer) object(l line) error {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(l)
}

// tell prints a failure: the step, the wanted message, the received one, and the differences.
func tell(c wire.Case, f *wire.Failure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "FAIL  %-6s %s\n", c.ID, c.Given)
	if f.Step > 0 {
		fmt.Fprintf(&b, "      step %d of %d  %s\n", f.Step, len(c.Steps), shorten(stepText(c.Steps[f.Step-1])))
	}
	if f.Got == "" && f.Want == "" {
		fmt.Fprintf(&b, "      %s\n\n", shorten(f.Err.Error()))
		return b.String()
	}
	fmt.Fprintf(&b, "      want  %s\n      got   %s\n", shorten(compact(f.Want)), shorten(compact(cmp.Or(f.Got, "(nothing)"))))
	if _, body, ok := strings.Cut(f.Err.Error(), ": "); ok && strings.HasPrefix(f.Got, "status ") {
		fmt.Fprintf(&b, "            %s\n", shorten(body))
	}
	for _, d := range differences(f.Want, f.Got) {
		fmt.Fprintf(&b, "      %s\n", shorten(d))
	}
	b.WriteByte('\n')
	return b.String()
}

// stepText returns a step in the form of the file of cases.
func stepText(s wire.Step) string {
	parts := []string{s.Verb}
	for _, a := range s.Args {
		parts = append(parts, compact(string(a)))
	}
	return strings.Join(parts, " ")
}

// shorten makes a text from a server printable on a terminal, and cuts it.
func shorten(s string) string {
	const most = 400
	cut := ""
	if len(s) > most {
		cut = fmt.Sprintf("... (%d bytes more)", len(s)-most)
		s = s[:most]
	}
	return printable(s) + cut
}

// printable writes control characters as Go escapes.
func printable(s string) string {
	var b strings.Builder
	for _, c := range s {
		if unicode.IsGraphic(c) && c != utf8.RuneError {
			b.WriteRune(c)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(c), "'"))
		}
	}
	return b.String()
}

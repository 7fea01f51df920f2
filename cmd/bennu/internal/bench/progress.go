package bench

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progress shows how a run goes: on a terminal one line that is updated, elsewhere a line for each phase.
type progress struct {
	w        io.Writer
	terminal bool
	width    int
	drawn    bool
	at       time.Duration // of the last drawing
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, width: 80}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.terminal = true
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 20 {
			p.width = width
		}
	}
	return p
}

// begin shows that a phase begins.
func (p *progress) begin(what string) {
	p.at = 0
	if !p.terminal {
		fmt.Fprintf(p.w, "%s ...\n", what)
	}
}

// update draws the line at most five times a second.
func (p *progress) update(now time.Duration, connected int, what interface{ progress() string }) {
	if !p.terminal || p.at != 0 && now-p.at < 200*time.Millisecond {
		return
	}
	p.at = now
	line := fmt.Sprintf("%d connected | %s", connected, what.progress())
	// A line that wraps could not be drawn over.
	fmt.Fprintf(p.w, "\r\x1b[K%s", line[:min(len(line), p.width-1)])
	p.drawn = true
}

// end clears the line.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

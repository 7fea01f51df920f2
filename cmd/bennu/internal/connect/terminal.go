package connect

import (
	"io"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/term"

	"github.com/bennu-go/bennu/internal/task"
)

// A terminal is the terminal of the user in raw mode. It has a line that can be edited below the output.
// Typed lines are kept in memory until the command ends, and never in a file, since payloads may have
// secrets.
type terminal struct {
	*term.Terminal
	in, out *os.File
	before  *term.State
	signals chan os.Signal
	tasks   task.Group
	once    sync.Once
}

// isTerminal reports whether a stream of the command is a terminal.
func isTerminal(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, false
	}
	return f, true
}

// openTerminal puts a terminal into raw mode. When a signal asks the process to end, the terminal is
// restored, and then ended is called.
func openTerminal(in, out *os.File, ended func()) (*terminal, error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	t := &terminal{in: in, out: out, before: before, signals: make(chan os.Signal, 4)}
	t.Terminal = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, out}, "")
	t.resize()
	signal.Notify(t.signals, append(endSignals(), resizeSignals()...)...)
	t.tasks.Go(func() {
		defer t.rescue()
		for sig := range t.signals {
			if isResize(sig) {
				t.resize()
				continue
			}
			t.restore()
			ended()
		}
	})
	return t, nil
}

// resize passes the size of the window to the line editor.
func (t *terminal) resize() {
	if width, height, err := term.GetSize(int(t.out.Fd())); err == nil && width > 0 {
		_ = t.SetSize(width, height) // fails only if writing fails
	}
}

// width returns the number of columns.
func (t *terminal) width() int {
	if width, _, err := term.GetSize(int(t.out.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// restore ends raw mode.
func (t *terminal) restore() {
	t.once.Do(func() { _ = term.Restore(int(t.in.Fd()), t.before) }) // fails if the terminal is gone
}

// abandon ends raw mode while a line is being typed, and makes p print below that line.
func (t *terminal) abandon(p *printer) {
	t.restore()
	p.redirect(t.out)
	p.answer("\n")
}

// rescue ends raw mode before a panic ends the process. It is deferred in every goroutine of the
// session.
func (t *terminal) rescue() {
	if v := recover(); v != nil {
		t.restore()
		panic(v)
	}
}

// close restores the terminal, and stops watching for signals.
func (t *terminal) close() {
	t.restore()
	signal.Stop(t.signals)
	close(t.signals)
	_ = t.tasks.Wait(noLimit)
}

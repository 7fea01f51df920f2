package connect

import (
	"io"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/term"

	"github.com/bennu-go/bennu/internal/task"
)

// A terminal is the user's, in raw mode, with a line that can be edited below what is
// printed. Lines that were typed are kept until the command ends, and not in a file:
// payloads may hold secrets.
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

// openTerminal takes over a terminal. ended is called when a signal asks the process
// to end; by then the terminal is as it was, whatever happens next.
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

// resize tells the line editor how large the window is.
func (t *terminal) resize() {
	if width, height, err := term.GetSize(int(t.out.Fd())); err == nil && width > 0 {
		_ = t.SetSize(width, height) // fails only as writing does
	}
}

// width is how many columns there are.
func (t *terminal) width() int {
	if width, _, err := term.GetSize(int(t.out.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// restore gives the terminal back.
func (t *terminal) restore() {
	t.once.Do(func() { _ = term.Restore(int(t.in.Fd()), t.before) }) // fails if the terminal is gone
}

// abandon gives the terminal back while a line is being typed, and has p print below
// that line from now on.
func (t *terminal) abandon(p *printer) {
	t.restore()
	p.redirect(t.out)
	p.answer("\n")
}

// rescue gives the terminal back before a panic ends the process. It is deferred in
// every goroutine of the session.
func (t *terminal) rescue() {
	if v := recover(); v != nil {
		t.restore()
		panic(v)
	}
}

// close is restore, and ends what watches for signals.
func (t *terminal) close() {
	t.restore()
	signal.Stop(t.signals)
	close(t.signals)
	_ = t.tasks.Wait(noLimit)
}

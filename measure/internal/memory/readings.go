package memory

import (
	"fmt"
	"io"
	"os"

	"github.com/bennu-go/bennu/measure/internal/part"
)

// readings are the resident bytes of a process, read after a garbage collection.
type readings struct {
	one   int64 // with one of what is measured
	idle  int64 // with n more
	after int64 // after traffic on each
}

// measure has join called once, so that what is made only once is not counted, then n times,
// then traffic once.
func measure(p *part.Process, n int, each string, join, traffic func() error) (r readings, err error) {
	if err := join(); err != nil {
		return r, err
	}
	if r.one, err = collected(p); err != nil {
		return r, err
	}
	for i := range n {
		if err := join(); err != nil {
			return r, fmt.Errorf("%s %d: %w", each, i+1, err)
		}
		if (i+1)%1000 == 0 {
			fmt.Fprintf(os.Stderr, "\r%d of %d %ss joined", i+1, n, each)
		}
	}
	fmt.Fprintln(os.Stderr)
	if r.idle, err = collected(p); err != nil {
		return r, err
	}
	if err := traffic(); err != nil {
		return r, err
	}
	r.after, err = collected(p)
	return r, err
}

func collected(p *part.Process) (int64, error) {
	if _, err := p.Ask("collect"); err != nil {
		return 0, err
	}
	return p.Memory()
}

// print writes a table. of is the process, each what there are n of.
func (r *readings) print(w io.Writer, of, each string, n int) {
	mb := func(bytes int64) float64 { return float64(bytes) / (1 << 20) }
	fmt.Fprintf(w, "%-40s %10s %16s\n", "", "RSS, MB", "per "+each)
	fmt.Fprintf(w, "%-40s %10.1f\n", of+" with one "+each, mb(r.one))
	row := func(what string, bytes int64) {
		fmt.Fprintf(w, "%-40s %10.1f %13.2f KB\n", what, mb(bytes), float64(bytes-r.one)/1024/float64(n))
	}
	row(fmt.Sprintf("%d joined, idle", n), r.idle)
	row("after an echo and a broadcast on each", r.after)
}

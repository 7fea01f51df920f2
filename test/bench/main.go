// Command bench reproduces docs/benchmarks.md: it runs the floor and "bennu bench
// server", with each of its read engines, one after another in processes of their own,
// loads them with "bennu bench", and writes a table of medians and two pictures.
//
//	go run ./test/bench                      # everything, five times: about 20 minutes
//	go run ./test/bench -runs 1 -quick       # to see that it works: 2 minutes
//
// Nothing else should run on the machine. What was measured is also kept in a file, from
// which -from writes the page again.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
)

func main() {
	runs := flag.Int("runs", 5, "how often everything is measured")
	quick := flag.Bool("quick", false, "few connections, no extras: to see that it works")
	sizes := flag.String("connections", "1000,10000,19000", "sizes, ascending, separated by commas")
	out := flag.String("out", "docs", "the folder for the page and its pictures")
	keep := flag.String("keep", "", "a file to keep what was measured in (default: in a new temporary folder)")
	from := flag.String("from", "", "measure nothing: write the page from a file that -keep wrote")
	only := flag.String("only", "", "measure the kinds of plan.go that begin so, for -keep: the page is not written")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *runs, *quick, *sizes, *out, *keep, *from, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, runs int, quick bool, sizes, out, keep, from, only string) error {
	if from != "" {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		var r results
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		return r.write(out)
	}
	if runs < 1 {
		return errors.New("-runs must be at least 1")
	}
	p := plan{runs: runs, extras: !quick, only: only}
	for size := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 200 {
			return fmt.Errorf("-connections: %q is no number of at least 200", size)
		}
		if quick {
			n = min(n, 2000)
		}
		if len(p.sizes) == 0 || n > p.sizes[len(p.sizes)-1] {
			p.sizes = append(p.sizes, n)
		}
	}
	temp, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	if keep == "" {
		keep = filepath.Join(temp, "results.json")
	}
	b, err := build(ctx, temp)
	if err != nil {
		return err
	}
	r, measureErr := p.measure(ctx, b)
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return errors.Join(measureErr, err)
	}
	if err := os.WriteFile(keep, append(text, '\n'), 0o644); err != nil {
		return errors.Join(measureErr, err)
	}
	fmt.Fprintln(os.Stderr, "what was measured is in", keep)
	if measureErr != nil || only != "" {
		return measureErr
	}
	return r.write(out)
}

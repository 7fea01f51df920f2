// Package bench reproduces docs/benchmarks.md: it runs the floor and "bennu bench
// server", with each of its read engines, one after another in processes of their own,
// loads them with "bennu bench", and writes a table of medians and two pictures.
//
//	go run -C measure . bench                      # everything, five times: about 20 minutes
//	go run -C measure . bench -runs 1 -quick       # to see that it works: 2 minutes
//
// What was measured is also kept in a file, from which -from writes the page again.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

type options struct {
	runs            int
	quick           bool
	sizes           string
	out, keep, from string
	only            string
}

// Command is the measurement.
func Command(flags *flag.FlagSet) func(context.Context, []string) error {
	var o options
	flags.IntVar(&o.runs, "runs", 5, "how often everything is measured")
	flags.BoolVar(&o.quick, "quick", false, "few connections, no extras: to see that it works")
	flags.StringVar(&o.sizes, "connections", "1000,10000,19000", "sizes, ascending, separated by commas")
	flags.StringVar(&o.out, "out", "../docs", "the folder for the page and its pictures")
	flags.StringVar(&o.keep, "keep", "", "a file to keep what was measured in (default: in a new temporary folder)")
	flags.StringVar(&o.from, "from", "", "measure nothing: write the page from a file that -keep wrote")
	flags.StringVar(&o.only, "only", "", "measure the kinds of plan.go that begin so, for -keep: the page is not written")
	return func(ctx context.Context, _ []string) error {
		if o.from != "" {
			return o.rewrite(ctx)
		}
		return o.measure(ctx)
	}
}

// rewrite writes the page from what an earlier run kept.
func (o *options) rewrite(ctx context.Context) error {
	text, err := os.ReadFile(o.from)
	if err != nil {
		return err
	}
	var r results
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%s: %w", o.from, err)
	}
	return r.write(ctx, o.out)
}

func (o *options) measure(ctx context.Context) error {
	p, err := o.plan()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	if o.keep == "" {
		o.keep = filepath.Join(temp, "results.json")
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
	if err := os.WriteFile(o.keep, append(text, '\n'), 0o644); err != nil {
		return errors.Join(measureErr, err)
	}
	fmt.Fprintln(os.Stderr, "what was measured is in", o.keep)
	if measureErr != nil || o.only != "" {
		return measureErr
	}
	return r.write(ctx, o.out)
}

func (o *options) plan() (*plan, error) {
	if o.runs < 1 {
		return nil, errors.New("-runs must be at least 1")
	}
	p := &plan{runs: o.runs, extras: !o.quick, only: o.only}
	for size := range strings.SplitSeq(o.sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 200 {
			return nil, fmt.Errorf("-connections: %q is no number of at least 200", size)
		}
		if o.quick {
			n = min(n, 2000)
		}
		if len(p.sizes) == 0 || n > p.sizes[len(p.sizes)-1] {
			p.sizes = append(p.sizes, n)
		}
	}
	return p, nil
}

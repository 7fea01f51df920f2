package redishistory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/redistest"
)

// keepBench is what a topic keeps by default.
var keepBench = history.Keep{Size: 1_000, Bytes: 1 << 20, Age: 10 * time.Minute}

// BenchmarkAppend measures appends of 150 bytes, one at a time and by many topics at once, beside PUBLISH. It
// reports latencies and the time of the server's processor.
func BenchmarkAppend(b *testing.B) {
	s := redistest.Start(b)
	payload := bytes.Repeat([]byte("x"), 150)
	measure := func(b *testing.B, parallel int, one func(ctx context.Context, worker, i int) error) {
		times := make([][]time.Duration, parallel)
		var workers atomic.Int64
		before := processor(b, s)
		b.SetParallelism(max(parallel/2, 1))
		run := func(worker int, next func() bool) {
			for i := 1; next(); i++ {
				began := time.Now()
				if err := one(context.Background(), worker, i); err != nil {
					b.Error(err)
					return
				}
				times[worker%parallel] = append(times[worker%parallel], time.Since(began))
			}
		}
		if parallel == 1 {
			run(0, b.Loop)
		} else {
			b.RunParallel(func(p *testing.PB) { run(int(workers.Add(1))-1, p.Next) })
		}
		b.ReportMetric(float64(processor(b, s)-before)/float64(b.N)/1e3, "broker-us/op")
		all := slices.Concat(times...)
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-us")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-us")
	}
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	b.Cleanup(func() { _ = client.Close() })
	st := start(b, Options{Addrs: []string{s.Addr}})
	publish := func(ctx context.Context, worker, _ int) error {
		return client.Publish(ctx, fmt.Sprint("topic:", worker), payload).Err()
	}
	run := atomic.Int64{} // numbers of a boot begin anew in each run
	appends := func(parallel int) func(b *testing.B) {
		return func(b *testing.B) {
			boot := fmt.Sprint("boot", run.Add(1))
			measure(b, parallel, func(ctx context.Context, worker, i int) error {
				e := &history.Entry{Event: "said", Payload: payload, Boot: boot, Number: uint64(i)}
				_, err := st.Append(ctx, fmt.Sprint("topic:", worker), e, &history.AppendOptions{Keep: keepBench})
				return err
			})
		}
	}
	b.Run("publish", func(b *testing.B) { measure(b, 1, publish) })
	b.Run("append", appends(1))
	b.Run("append64", appends(64))
	b.Run("read1000", func(b *testing.B) {
		for b.Loop() {
			if p := read(b, st, "topic:0", st.(*store).oldest(b)); len(p.Entries) < 500 {
				b.Fatalf("%d entries", len(p.Entries))
			}
		}
	})
}

// oldest returns the oldest place of "topic:0".
func (s *store) oldest(t testing.TB) uint64 {
	t.Helper()
	p, err := s.Read(t.Context(), "topic:0", 0, &history.ReadOptions{Keep: plenty, Entries: 1, Bytes: 1, Newest: true})
	if err != nil {
		t.Fatal(err)
	}
	return p.Oldest
}

// processor returns the time of the server's processor.
func processor(t testing.TB, s *redistest.Server) (used time.Duration) {
	t.Helper()
	for _, line := range s.Lines(t, "INFO", "cpu") {
		name, value, _ := strings.Cut(line, ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			seconds, _ := strconv.ParseFloat(value, 64)
			used += time.Duration(seconds * float64(time.Second))
		}
	}
	return used
}

// TestBytes checks what Redis needs for a topic of 1,000 entries of 150 bytes.
func TestBytes(t *testing.T) {
	t.Parallel()
	s, st := single(t)
	for n := range uint64(1_000) {
		e := &history.Entry{Event: "said", Payload: bytes.Repeat([]byte("x"), 150), Boot: "k3v9x2m4q7", Number: n + 1}
		if _, err := st.Append(t.Context(), "t", e, &history.AppendOptions{Keep: keepBench}); err != nil {
			t.Fatal(err)
		}
	}
	stream, _ := strconv.Atoi(s.Do(t, "MEMORY", "USAGE", "{bennu.h.t}s", "SAMPLES", "0"))
	meta, _ := strconv.Atoi(s.Do(t, "MEMORY", "USAGE", "{bennu.h.t}m"))
	t.Logf("1,000 entries of 150 bytes: stream %d bytes, hash %d bytes", stream, meta)
	if stream > 250_000 {
		t.Errorf("the stream has %d bytes, want at most 250,000", stream)
	}
}

package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fakeResults are of a plan in which every figure is the same.
func fakeResults(p *plan) *results {
	op := func() *operation {
		return &operation{CPU: 2, Last: &latency{P50: 3000}, Grown: 5 << 20, Closed: map[string]int{"1013": 20}}
	}
	r := &results{Machine: thisMachine(), Runs: p.runs, Sizes: p.sizes}
	for range p.runs {
		for _, s := range p.steps() {
			r.All = append(r.All, result{s.target.Name, s.kind, s.size, &report{
				Memory:  memory{PerIdle: 2048, PerAfter: 4096, PerTopic: 512},
				Connect: &storm{CPU: 61, Seconds: 1}, Reconnect: &storm{CPU: 70, Seconds: 1.5},
				Load: op(), Broadcast: op(), Ahead: op(), Slow: op(),
				Server: collector{Cycles: 10, CPU: 1, TotalCPU: 20},
			}})
		}
	}
	return r
}

func TestPage(t *testing.T) {
	dir := t.TempDir()
	text, err := json.Marshal(fakeResults(&plan{runs: 2, sizes: []int{1000, 10_000}, extras: true}))
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(dir, "results.json")
	if err := os.WriteFile(kept, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := (&options{from: kept, out: dir}).rewrite(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Each was measured 2 times",
		"### 10,000 connections, one joined topic each",
		"| memory of a joined connection, idle, KB | 2.00 | 2.00 | 1.00 | 2.00 | 1.00 | ≤ 3; ≤ 6 | yes | yes |",
		"| connect, upgrade and join, µs | 61.0 | 61.0 | 1.00 | 61.0 | 1.00 | ≤ 60 | **no**: 2 % over | **no**: 2 % over |",
		"| the same, slow readers closed with 1013 | - | 20.0 | - | 20.0 | - |  |  |  |",
		"| CPU, of all CPU of the server, % | 5.00 | 5.00 |",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(string(page), "NaN") || t.Failed() {
		t.Logf("the page:\n%s", page)
	}
	// The links of the page lead somewhere from the folder in which it stands.
	for _, link := range regexp.MustCompile(`\]\(([^)#]+)`).FindAllStringSubmatch(string(page), -1) {
		at := filepath.Join("..", "..", "..", "docs", link[1])
		if _, err := os.Stat(at); err != nil {
			t.Errorf("the page has a link that leads nowhere: %v", err)
		}
	}
	for _, name := range []string{"benchmarks-delivery.svg", "benchmarks-memory.svg"} {
		if picture, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(picture), "</svg>") {
			t.Errorf("%s: %v, %d bytes", name, err, len(picture))
		}
	}
}

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   string
	}{
		{nil, "-"},
		{[]float64{1.234}, "1.23"},
		{[]float64{1, 20, 300}, "20.0 (1.00 to 300)"},
		{[]float64{1, 2, 3, 4}, "2.50 (1.00 to 4.00)"},
		{[]float64{1.001, 1.002}, "1.00"},
	} {
		if got := (spread{tt.values}).String(); got != tt.want {
			t.Errorf("%v is written %q, want %q", tt.values, got, tt.want)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 19_000: "19,000", 1_000_007: "1,000,007"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

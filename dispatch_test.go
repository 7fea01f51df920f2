package bennu

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/transport"
)

// sink is a connection that takes everything and keeps nothing.
type sink struct{ n int }

func (s *sink) Send(transport.Frame) bool { s.n++; return true }
func (s *sink) Close(transport.CloseCode) {}

// joinedSinks joins n connections to the topic "a".
func joinedSinks(tb testing.TB, n int) (*Endpoint, []*sink) {
	tb.Helper()
	return joinedSinksOf(tb, n, nil, "{}", 1)
}

// joinedSinksOf joins with a payload, which is answered with so many frames.
func joinedSinksOf(tb testing.TB, n int, opts *EndpointOptions, payload string, frames int) (*Endpoint, []*sink) {
	tb.Helper()
	e, h := memEndpoint(tb, usersOf("*", handlerFunc(joinQuiet), Limits{}), opts)
	sinks := make([]*sink, n)
	for i := range sinks {
		sinks[i] = &sink{}
		s := memAccept(tb, h)
		(*receiver)(s).Opened(sinks[i])
		(*receiver)(s).Receive(1, []byte(`["1","1","a","phx_join",`+payload+`]`))
		tb.Cleanup(func() { (*receiver)(s).Closed(transport.ErrClientClosed) })
	}
	for e.pubsub.Subscribers("a") < n || e.tasks.Len() > 0 {
		runtime.Gosched()
	}
	for _, s := range sinks {
		if s.n != frames {
			tb.Fatalf("%d frames after the join", s.n)
		}
		s.n = 0
	}
	return e, sinks
}

func allocations() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// TestDispatchAllocates compares broadcasts to few and to many: a subscriber must cost no
// allocation.
func TestDispatchAllocates(t *testing.T) {
	perRun := map[int]float64{}
	for _, n := range []int{1, 1000} {
		e, _ := joinedSinks(t, n)
		payload := Raw(`{"n":1}`)
		perRun[n] = testing.AllocsPerRun(100, func() {
			if err := e.Broadcast("a", "e", payload); err != nil {
				t.Error(err)
			}
		})
	}
	// The race detector empties pools at random, so a list may be made anew.
	if more := perRun[1000] - perRun[1]; more > 10 {
		t.Errorf("%v allocations for 1 subscriber, %v for 1000", perRun[1], perRun[1000])
	}
}

// BenchmarkDispatch10000 is one broadcast to 10,000 subscribers without a network.
func BenchmarkDispatch10000(b *testing.B) {
	const n = 10_000
	e, sinks := joinedSinks(b, n)
	benchmarkDispatch(b, e, sinks)
}

// BenchmarkDispatchKept10000 is the same on a topic that has a history, to clients that do not ask for
// offsets and to those that do.
func BenchmarkDispatchKept10000(b *testing.B) {
	for _, tc := range []struct {
		name, payload string
		frames        int
	}{{"plain", "{}", 1}, {"offsets", `{"since":null}`, 2}} {
		b.Run(tc.name, func(b *testing.B) {
			ps := pubsub.NewLocal()
			log, err := history.New(b.Context(), ps, &history.Options{Topics: []history.Topic{{Pattern: "*"}}})
			if err != nil {
				b.Fatal(err)
			}
			e, sinks := joinedSinksOf(b, 10_000, &EndpointOptions{PubSub: ps, History: log}, tc.payload, tc.frames)
			e.OnShutdown(log.Close)
			benchmarkDispatch(b, e, sinks)
		})
	}
}

func benchmarkDispatch(b *testing.B, e *Endpoint, sinks []*sink) {
	n := len(sinks)
	payload := map[string]string{"text": fmt.Sprintf("%084d", 0)} // with its frame about 100 bytes
	b.ReportAllocs()
	before := allocations()
	for b.Loop() {
		if err := e.Broadcast("a", "e", payload); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(allocations()-before)/float64(b.N)/float64(n), "allocs/subscriber")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/subscriber")
	if sinks[n-1].n < b.N {
		b.Errorf("%d of %d broadcasts delivered", sinks[n-1].n, b.N)
	}
}

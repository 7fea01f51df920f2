package cluster

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/test/replay"
)

// site is a node as its control sees it.
type site struct {
	endpoint *bennu.Endpoint
	pubsub   *pubsub.PubSub
	witness  *replay.Witness

	mu     sync.Mutex
	topics map[string]*topic
}

// topic is what the control has of one.
type topic struct {
	mu     sync.Mutex
	tally  *tally
	sub    *pubsub.Subscription
	series map[string]*series // by publisher
	events *bennu.Subscription
	heard  []string
}

// series is a publisher's numbers. Its lock makes their order that of publishing.
type series struct {
	mu   sync.Mutex
	last int
	flow *flow
}

// flow is a goroutine that publishes.
type flow struct {
	stop   chan struct{}
	done   chan struct{}
	result published
}

func (s *site) topic(name string) *topic {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[name]
	if t == nil {
		t = &topic{series: make(map[string]*series)}
		s.topics[name] = t
	}
	return t
}

func (s *site) series(p *publishing) *series {
	t := s.topic(p.Topic)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.series[p.From] == nil {
		t.series[p.From] = &series{}
	}
	return t.series[p.From]
}

func (s *site) control() *http.ServeMux {
	mux := http.NewServeMux()
	verb(mux, "stats", func(context.Context, struct{}) (stats, error) {
		st := stats{Stats: s.endpoint.Stats()}
		if err := st.PubSub.Err; err != nil {
			st.PubSub.Err, st.Err = nil, err.Error()
		}
		return st, nil
	})
	verb(mux, "publish", s.publish)
	verb(mux, "flow", s.startFlow)
	verb(mux, "stop", s.stopFlow)
	verb(mux, "listen", s.listen)
	verb(mux, "heard", func(_ context.Context, in listening) (heard, error) {
		t := s.topic(in.Topic)
		t.mu.Lock()
		y := t.tally
		t.mu.Unlock()
		if y == nil {
			return heard{}, errors.New("nobody listens there")
		}
		h := heard{From: y.counts(), Missed: int(s.witness.Missed()[in.Topic])}
		y.mu.Lock()
		defer y.mu.Unlock()
		h.Gaps = y.gaps
		return h, nil
	})
	verb(mux, "cast", func(_ context.Context, in casting) (cast, error) {
		return cast{nameOf(s.endpoint.Broadcast(in.Topic, in.Event, number{Pad: strings.Repeat("x", in.Size)}))}, nil
	})
	verb(mux, "disconnect", func(_ context.Context, in disconnecting) (struct{}, error) {
		return struct{}{}, s.endpoint.Disconnect(in.ID)
	})
	verb(mux, "subscribe", s.subscribe)
	verb(mux, "events", func(_ context.Context, in hearing) ([]string, error) {
		t := s.topic(in.Topic)
		t.mu.Lock()
		defer t.mu.Unlock()
		return slices.Clone(t.heard), nil
	})
	return mux
}

// nameOf tells errors apart for the test.
func nameOf(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, pubsub.ErrTooLarge):
		return "too large"
	case errors.Is(err, pubsub.ErrBufferFull):
		return "buffer full"
	}
	return err.Error()
}

// send publishes the next number of a series.
func (s *site) send(r *series, p *publishing, result *published) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	result.Last = r.last
	began := time.Now()
	err := s.endpoint.Broadcast(p.Topic, numbered, number{p.From, r.last, strings.Repeat("x", p.Size)})
	result.Slowest = max(result.Slowest, time.Since(began))
	switch name := nameOf(err); name {
	case "":
	case "buffer full":
		result.Refused++
	default:
		result.Err = name
	}
}

func (s *site) publish(_ context.Context, p publishing) (result published, err error) {
	r := s.series(&p)
	for range p.Messages {
		s.send(r, &p, &result)
	}
	return result, nil
}

func (s *site) startFlow(_ context.Context, p publishing) (struct{}, error) {
	r := s.series(&p)
	f := &flow{stop: make(chan struct{}), done: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flow = f
	go func() {
		defer close(f.done)
		tick := time.NewTicker(p.Every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.send(r, &p, &f.result)
			case <-f.stop:
				return
			}
		}
	}()
	return struct{}{}, nil
}

func (s *site) stopFlow(_ context.Context, p publishing) (published, error) {
	r := s.series(&p)
	r.mu.Lock()
	f := r.flow
	r.flow = nil
	r.mu.Unlock()
	if f == nil {
		return published{}, errNoFlow
	}
	close(f.stop)
	<-f.done
	return f.result, nil
}

func (s *site) listen(ctx context.Context, in listening) (struct{}, error) {
	y := &tally{}
	sub := s.pubsub.Subscribe(in.Topic, y)
	t := s.topic(in.Topic)
	t.mu.Lock()
	t.tally, t.sub = y, sub
	t.mu.Unlock()
	return struct{}{}, await(ctx, sub)
}

// await waits for interest to be known everywhere.
func await(ctx context.Context, sub *pubsub.Subscription) error {
	ready := sub.Ready()
	if ready == nil {
		return nil
	}
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *site) subscribe(ctx context.Context, in hearing) (struct{}, error) {
	t := s.topic(in.Topic)
	events := s.endpoint.Subscribe(in.Topic, func(_ context.Context, b bennu.Broadcast) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.heard = append(t.heard, b.Event)
	})
	t.mu.Lock()
	t.events = events
	t.mu.Unlock()
	// An endpoint's subscription does not tell when it is known everywhere. One beside it
	// does.
	sub := s.pubsub.Subscribe(in.Topic, &tally{})
	defer sub.Cancel()
	return struct{}{}, await(ctx, sub)
}

// close ends what publishes and listens.
func (s *site) close() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.topics))
	s.mu.Unlock()
	for _, t := range all {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, r := range t.series {
			r.mu.Lock()
			f := r.flow
			r.mu.Unlock()
			if f != nil {
				close(f.stop)
				<-f.done
			}
		}
		if t.sub != nil {
			t.sub.Cancel()
		}
		if t.events != nil {
			t.events.Cancel()
		}
	}
}

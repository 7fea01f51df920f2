package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
)

// hall is the topic in which all users are.
const hall = "hall:all"

// seat is the meta of a user.
type seat struct {
	N int `json:"n"`
}

// attendance is the presence of a node, as its control sees it.
type attendance struct {
	here *presence.Presence[seat]
	sub  *pubsub.Subscription
	fold *fold

	mu    sync.Mutex
	users map[string]*presence.Owner[seat]
	turns int
	tasks sync.WaitGroup
	calm  chan struct{} // closed when nobody shall come and go any more
}

// attend starts it. The fold listens before anybody can join: nothing escapes it.
func attend(ctx context.Context, p *pubsub.PubSub, times presence.Timing, logger *slog.Logger) (a *attendance, err error) {
	a = &attendance{fold: newFold(), users: make(map[string]*presence.Owner[seat])}
	a.sub = p.Subscribe(hall, a.fold)
	a.here, err = presence.New(ctx, p, &presence.Options[seat]{Timing: times, Logger: logger})
	return a, err
}

func (a *attendance) close() error {
	_, _ = a.quiet(context.Background(), struct{}{})
	err := a.here.Close()
	a.sub.Cancel()
	return err
}

// crowding names users of a node.
type crowding struct{ Keys []string }

// stirring asks for users who come and go, one after the other.
type stirring struct {
	From  string // whose they are
	Users int
	Turns int // in all, so that no client has more to read than its queue holds
	Every time.Duration
}

// viewing asks for what a node sees. Whole has the list in it.
type viewing struct{ Whole bool }

// view is that.
type view struct {
	Digest  string
	Entries int
	List    map[string][]string // refs by key
	// Came and Left count users, by the node whose they are: their first entries and
	// their last ones.
	Came, Left map[string]int
	Diffs      int
	Latest     []string // of the leaves
	Faults     []string // how the diffs do not come to the list
	Down       []string // nodes
	Stats      presence.Stats
}

// control serves what the test asks.
func (a *attendance) control(m *http.ServeMux) {
	verb(m, "track", func(_ context.Context, in crowding) (map[string]string, error) {
		return a.each(in.Keys, func(key string, n int) (string, error) {
			if a.users[key] == nil {
				a.users[key] = a.here.NewOwner()
			}
			return a.users[key].Track(hall, key, seat{n})
		})
	})
	verb(m, "update", func(_ context.Context, in crowding) (map[string]string, error) {
		return a.each(in.Keys, func(key string, n int) (string, error) {
			return a.users[key].Update(hall, key, seat{n})
		})
	})
	verb(m, "untrack", func(_ context.Context, in crowding) (map[string]string, error) {
		return a.each(in.Keys, func(key string, n int) (string, error) {
			if n%2 == 0 {
				a.users[key].Untrack(hall, key)
			} else { // another way to leave
				a.users[key].Close()
				delete(a.users, key)
			}
			return "", nil
		})
	})
	verb(m, "stir", a.stir)
	verb(m, "calm", a.quiet)
	verb(m, "view", a.view)
}

func (a *attendance) each(keys []string, do func(key string, n int) (ref string, err error)) (map[string]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	refs := make(map[string]string, len(keys))
	for _, key := range keys {
		a.turns++
		ref, err := do(key, a.turns)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		refs[key] = ref
	}
	return refs, nil
}

// stir lets users come and go, until calm at the latest, so that changes are told while others are
// made, and lists are taken in between.
func (a *attendance) stir(_ context.Context, in stirring) (struct{}, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	calm := make(chan struct{})
	a.calm = calm
	a.tasks.Go(func() {
		tick := time.NewTicker(in.Every)
		defer tick.Stop()
		owners := make([]*presence.Owner[seat], in.Users)
		defer func() {
			for _, o := range owners {
				if o != nil {
					o.Close()
				}
			}
		}()
		for i := range in.Turns {
			select {
			case <-tick.C:
			case <-calm:
				return
			}
			at := i * 7 % in.Users
			switch key := fmt.Sprintf("%s/guest%d", in.From, at); {
			case owners[at] == nil:
				owners[at] = a.here.NewOwner()
				_, _ = owners[at].Track(hall, key, seat{i}) // the list tells
			case i%3 == 0:
				_, _ = owners[at].Update(hall, key, seat{i})
			default:
				owners[at].Close()
				owners[at] = nil
			}
		}
	})
	return struct{}{}, nil
}

// quiet ends that; those users leave.
func (a *attendance) quiet(context.Context, struct{}) (struct{}, error) {
	a.mu.Lock()
	calm := a.calm
	a.calm = nil
	a.mu.Unlock()
	if calm != nil {
		close(calm)
	}
	a.tasks.Wait()
	return struct{}{}, nil
}

// view takes the list and what the diffs come to, until they are equal: clients are told of a
// change a moment after it is in the list.
func (a *attendance) view(_ context.Context, in viewing) (v view, err error) {
	var list map[string][]string
	within(patience, func() bool {
		list = make(map[string][]string)
		v = a.fold.view()
		for key, metas := range a.here.List(hall) {
			for _, m := range metas {
				list[key] = append(list[key], m.Ref)
			}
			v.Entries += len(metas)
		}
		return len(v.Faults) > 0 || digest(v.List) == digest(list)
	})
	v.compare(list)
	v.Digest, v.Stats = digest(list), a.here.Stats()
	for _, n := range v.Stats.Nodes {
		if !n.Up {
			v.Down = append(v.Down, n.Name)
		}
	}
	if v.List = list; !in.Whole {
		v.List = nil
	}
	return v, nil
}

// compare notes where the diffs, which are in v, do not come to the list.
func (v *view) compare(list map[string][]string) {
	if digest(v.List) == digest(list) {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(v.List)) {
		if v.List[key] = slices.Sorted(slices.Values(v.List[key])); !slices.Equal(v.List[key], slices.Sorted(slices.Values(list[key]))) {
			v.Faults = append(v.Faults, fmt.Sprintf("the diffs have %s as %q, the list as %q", key, v.List[key], list[key]))
		}
	}
	for key, refs := range list {
		if v.List[key] == nil {
			v.Faults = append(v.Faults, fmt.Sprintf("the list has %s as %q, the diffs do not", key, refs))
		}
	}
}

// guest is a client who is in the hall while its channel is.
type guest struct {
	*bennu.Channel
	here *presence.Presence[seat]
	key  string
}

type (
	arrived struct{}
	arrival struct {
		Key string `json:"key"`
	}
)

// halls is the channel.
func (a *attendance) halls() *bennu.Definition[*guest] {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in arrival) (*guest, bennu.Empty, error) {
		return &guest{ch, a.here, in.Key}, bennu.Empty{}, ch.Send(arrived{})
	})
	bennu.OnInfo(d, func(g *guest, _ context.Context, _ arrived) error {
		if err := g.here.PushState(g.Channel); err != nil {
			return err
		}
		_, err := g.here.Track(g.Channel, g.key, seat{})
		return err
	})
	return d
}

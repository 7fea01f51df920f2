package natshistory

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/bennu-go/bennu/history"
)

const (
	// headsAtOnce is the number of topics in one request.
	headsAtOnce = 500
	// fewHeads is the number of topics up to which the leader is asked for each.
	fewHeads = 4
	// getsAtOnce bounds the requests for one message that are under way.
	getsAtOnce = 64
	// maxHeadsBytes bounds the answer to one request, in which messages come with their payloads. The server
	// ends it with the message that reaches the bound.
	maxHeadsBytes = 4 << 20
	// behindTries is the number of tries at replicas that are behind, before the leader is asked.
	behindTries = 5
)

// Heads implements history.Store. The heads come from any replica that has all that the leader had when
// the call began.
func (s *store) Heads(ctx context.Context, topics []string) ([]history.Head, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	list := make([]history.Head, len(topics))
	for begin := 0; begin < len(topics); begin += headsAtOnce {
		end := min(begin+headsAtOnce, len(topics))
		if err := s.headsOf(ctx, topics[begin:end], list[begin:end]); err != nil {
			return nil, failed(err, false)
		}
	}
	return list, nil
}

// headsOf sets the heads of some topics, and marks them: whoever asks for the head of a topic follows it.
func (s *store) headsOf(ctx context.Context, topics []string, heads []history.Head) error {
	subjects := make([]string, len(topics))
	for i, topic := range topics {
		subjects[i] = logSubject(s.Prefix, topic)
	}
	records, err := s.newestOf(ctx, subjects)
	if err != nil {
		return err
	}
	list := make([]*record, 0, len(records))
	for i, subject := range subjects {
		if r := records[subject]; r != nil {
			heads[i] = r.head()
			list = append(list, r)
		}
	}
	s.markAll(ctx, list)
	return nil
}

// newestOf returns the newest records of subjects, by subject. A subject without one is not in the result, or
// has nil.
func (s *store) newestOf(ctx context.Context, subjects []string) (found map[string]*record, err error) {
	if len(subjects) > fewHeads && !s.single.Load() {
		tries := 0
		err = s.again(ctx, func() error {
			found, err = s.newestMany(ctx, subjects)
			if tries++; errors.Is(err, errBehind) && tries == behindTries {
				return nil
			}
			return err
		})
		if err != nil || found != nil {
			return found, err
		}
	}
	return s.newestEach(ctx, subjects)
}

// newestMany asks a replica for the newest records of all subjects, in one request, or in several if they are
// large. They come without payloads. The stream is asked
// first for its newest sequence: a replica that has less is behind, and its answer is not used. It
// returns nil if the server does not know such a request.
func (s *store) newestMany(ctx context.Context, subjects []string) (map[string]*record, error) {
	info, err := s.info(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string]*record, len(subjects))
	for rest := subjects; ; {
		had := len(found)
		end, err := s.direct(ctx, getRequest{LastOf: rest, MaxBytes: maxHeadsBytes}, func(r *record) {
			r.payload = nil // all of them together may be large
			found[r.subject] = r
		})
		switch {
		case err != nil:
			return nil, err
		case end.refused || end.single:
			s.single.Store(true)
			return nil, nil
		case end.none && info.State.LastSeq > 0:
			return nil, nil // it does not say how much it has
		case end.upTo < info.State.LastSeq || end.pending > 0 && len(found) == had:
			return nil, errBehind
		case end.pending == 0:
			return found, nil
		}
		rest = slices.DeleteFunc(slices.Clone(rest), func(subject string) bool { return found[subject] != nil })
	}
}

// newestEach asks the leader for the newest record of each subject, some at once. The first error ends the
// others, since the caller can use no part of the answers.
func (s *store) newestEach(ctx context.Context, subjects []string) (map[string]*record, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu      sync.Mutex
		found   = make(map[string]*record, len(subjects))
		all     sync.WaitGroup
		waiting = make(chan string)
	)
	for range min(len(subjects), getsAtOnce) {
		all.Go(func() {
			for subject := range waiting {
				r, err := s.newest(ctx, subject)
				if err != nil {
					cancel(err)
					continue
				}
				if r != nil {
					r.payload = nil
				}
				mu.Lock()
				found[subject] = r
				mu.Unlock()
			}
		})
	}
	for _, subject := range subjects {
		waiting <- subject
	}
	close(waiting)
	all.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return found, nil
}

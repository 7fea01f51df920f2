package natshistory

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/notice"
)

const (
	// leastLife is how long a topic stays at least after its last entry, and lives is that time in
	// terms of its Age.
	leastLife = 24 * time.Hour
	lives     = 10
	// janitorPause is the time between two rounds of the janitors of all nodes.
	janitorPause = 6 * time.Hour
)

// lifeOf returns how long the topic of a record stays after its last entry or mark. The Age of a record
// that others wrote may be anything, so it is bounded before it is multiplied.
func (s *store) lifeOf(r *record) time.Duration {
	return max(s.leastLife, lives*min(time.Duration(r.Age), 1<<29)*time.Second)
}

// janitor purges topics that nobody has used or followed for long. One node at a time does it, after a
// random time, so that nodes that were started together do not ask together. Without it, each topic that
// ever had a message would stay in the stream.
func (s *store) janitor() {
	for s.pause(s.life, mathrand.N(janitorPause)) {
		s.cleanNow(s.life)
	}
}

// cleanNow is clean for a caller that has nobody to tell of an error.
func (s *store) cleanNow(ctx context.Context) {
	if err := s.clean(ctx); err != nil && s.life.Err() == nil { // otherwise Close ended it
		s.book.Say(notice.HistoryCleaning, slog.String("error", err.Error()))
	}
}

// clean is one round of the janitor, unless another node had one lately.
func (s *store) clean(ctx context.Context) error {
	mine, err := s.claim(ctx)
	if err != nil || !mine {
		return err
	}
	list, err := s.logs(ctx)
	for len(list) > 0 && err == nil {
		n := min(len(list), headsAtOnce)
		err = s.cleanSome(ctx, list[:n])
		list = list[n:]
		s.pause(ctx, time.Second) // leaves the servers to those who publish
	}
	return err
}

// claim reports whether this node is the first since janitorPause. The message that says so is taken only
// behind the one before it, so of several nodes one succeeds. Times are those of the server.
func (s *store) claim(ctx context.Context) (bool, error) {
	if _, err := s.info(ctx); err != nil {
		return false, err
	}
	m := nats.NewMsg(janitorSubject(s.Prefix))
	last, err := s.newest(ctx, m.Subject)
	if err != nil || last != nil && s.clock.now().Sub(last.time) < janitorPause {
		return false, err
	}
	sequence := uint64(0)
	if last != nil {
		sequence = last.sequence
	}
	expect(m, sequence)
	m.Header[nats.MsgIdHdr] = []string{rand.Text()}
	m.Header[nats.MsgRollup] = []string{nats.MsgRollupSubject}
	_, err = s.publish(ctx, m)
	if hasCode(err, codeWrongLast) || hasCode(err, codeLastInFlight) {
		return false, nil
	}
	return err == nil, err
}

// logs returns the subjects of all logs. The server lists up to 100,000 at a time. Topics that come or go
// meanwhile may be left out; the next round finds them.
func (s *store) logs(ctx context.Context) (list []string, err error) {
	for {
		var page struct {
			Total int
			State struct{ Subjects map[string]int }
		}
		request := map[string]any{"subjects_filter": s.Prefix + ".l.*", "offset": len(list)}
		if err := s.call(ctx, "STREAM.INFO", request, &page); err != nil {
			return nil, err
		}
		for subject := range page.State.Subjects {
			list = append(list, subject)
		}
		if len(page.State.Subjects) == 0 || len(list) >= page.Total {
			return list, nil
		}
	}
}

// cleanSome purges those of some topics that are old and were not marked lately. The others are done even
// if one fails; the error has all faults.
func (s *store) cleanSome(ctx context.Context, subjects []string) error {
	records, err := s.newestOf(ctx, subjects)
	if err != nil {
		return err
	}
	old := func(r *record, life time.Duration) bool { return s.clock.now().Sub(r.time) > life }
	var failed []error
	for subject, r := range records {
		if r == nil || !old(r, s.lifeOf(r)) {
			continue
		}
		mark, err := s.newest(ctx, markOf(s.Prefix, subject))
		if err == nil && (mark == nil || old(mark, s.lifeOf(r))) {
			// What comes meanwhile has a higher sequence, and stays.
			if err = s.purge(ctx, subject, r.sequence+1); err == nil && mark != nil {
				err = s.purge(ctx, mark.subject, mark.sequence+1)
			}
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

package natshistory

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
)

// Rotate implements history.Store. It publishes a record that is no entry and has a new epoch, with the
// header for which the server removes all other messages of the subject. The server takes it only behind
// the newest record of the old epoch, so of several nodes that rotate, one succeeds, and the next entry
// follows it. Other topics stay as they are. For the epoch "" the record begins the log of a topic that has
// none.
func (s *store) Rotate(ctx context.Context, name, epoch string) error {
	leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	subject, unsure := logSubject(s.Prefix, name), false
	err = s.again(ctx, func() error {
		last, err := s.newest(ctx, subject)
		if err != nil || last.head().Epoch != epoch {
			return err
		}
		first := &record{subject: subject, id: rand.Text(), meta: meta{Epoch: follow.NewEpoch()}}
		if !last.none() {
			first.Age = last.Age
		}
		m := first.message(last.at())
		m.Header[nats.MsgRollup] = []string{nats.MsgRollupSubject}
		if _, err = s.publish(ctx, m); err == nil && last.none() && last.at() > 0 {
			s.sayForeign(last)
		}
		unsure = unsure || errors.Is(err, errUnanswered)
		if hasCode(err, codeWrongLast) || hasCode(err, codeLastInFlight) {
			return errBehind // an entry has come, or another node has rotated: look again
		}
		return err
	})
	if err != nil {
		return failed(err, unsure)
	}
	return nil
}

var _ history.Store = (*store)(nil)

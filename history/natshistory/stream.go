package natshistory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/bennu-go/bennu/history"
)

// config returns the configuration of a new stream. It keeps the newest messages of each subject, and has no
// maximal age: the newest record of a topic tells its epoch and head, and must stay. For the same reason a full
// stream refuses new messages, and does not drop old ones. Duplicates is how long the server knows ids, and so
// how long a Key holds. Rotate and the marks need roll-ups, and reads the direct gets.
func (s *store) config() *jetstream.StreamConfig {
	c := &jetstream.StreamConfig{
		Name: s.Stream, Subjects: subjects(s.Prefix), Description: "history of bennu",
		Storage: jetstream.FileStorage, Replicas: s.Replicas,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		MaxMsgsPerSubject: int64(s.Size), MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: -1,
		Duplicates: history.KeyTime, AllowRollup: true, AllowDirect: true,
	}
	if s.MaxBytes > 0 {
		c.MaxBytes = s.MaxBytes
	}
	return c
}

// misfits returns an error that says what in the configuration of an existing stream does not fit, or
// nil.
func (s *store) misfits(c *jetstream.StreamConfig) error {
	var list []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			list = append(list, fmt.Errorf("it "+format, args...))
		}
	}
	for _, subject := range subjects(s.Prefix) {
		want(slices.Contains(c.Subjects, subject), "does not keep the subject %q; give it the subjects %q, or set option Stream", subject, subjects(s.Prefix))
	}
	want(c.Replicas == s.Replicas, "has %d replicas, and option Replicas is %d; change one of them", c.Replicas, s.Replicas)
	want(c.MaxMsgsPerSubject <= 0 || c.MaxMsgsPerSubject >= int64(s.Size), "keeps %d messages per subject, and option Size is %d; raise max_msgs_per_subject", c.MaxMsgsPerSubject, s.Size)
	want(c.Retention == jetstream.LimitsPolicy, "has the retention %q; make it anew with limits", c.Retention)
	want(c.MaxAge == 0, "forgets messages after %v, also the newest of a topic; set max_age to 0, history.Topic has an Age", c.MaxAge)
	want(c.Discard == jetstream.DiscardNew || c.MaxMsgs <= 0 && c.MaxBytes <= 0, "forgets the oldest messages when it is full, also the newest of a topic; set discard to new, or no max_msgs and max_bytes")
	want(!c.DiscardNewPerSubject, "refuses new messages of a topic that has as many as it keeps; set discard_new_per_subject to false")
	want(c.Duplicates >= history.KeyTime, "knows ids for %v; set duplicate_window to %v", c.Duplicates, history.KeyTime)
	want(c.AllowRollup, "has no roll-up; set allow_rollup_hdrs to true")
	want(!c.DenyPurge, "denies purges; it must be made anew with deny_purge false")
	want(c.AllowDirect, "has no direct gets; set allow_direct to true")
	want(!c.NoAck, "does not acknowledge messages; set no_ack to false")
	want(!c.Sealed, "is sealed; it must be made anew")
	want(c.Mirror == nil && len(c.Sources) == 0 && c.SubjectTransform == nil, "takes messages of other streams, or transforms subjects; use a stream that does not")
	return errors.Join(list...)
}

// info asks for the stream, and compares the clocks. The leader answers, so its newest sequence is that of all
// messages that were acknowledged.
func (s *store) info(ctx context.Context) (*jetstream.StreamInfo, error) {
	var i jetstream.StreamInfo
	begin := time.Now()
	if err := s.call(ctx, "STREAM.INFO", struct{}{}, &i); err != nil {
		return nil, err
	}
	if !i.TimeStamp.IsZero() {
		s.clock.set(begin, i.TimeStamp)
	}
	return &i, nil
}

// prepare makes the stream if it does not exist, and checks it otherwise. Several nodes may do so at once: the
// server takes the same configuration twice. It never changes a stream that exists, whose owner may
// have set more than this package knows.
func (s *store) prepare(ctx context.Context) error {
	s.mending.Lock()
	defer s.mending.Unlock()
	i, err := s.info(ctx)
	if hasCode(err, codeNoStream) {
		if err = s.call(ctx, "STREAM.CREATE", s.config(), nil); err == nil {
			i, err = s.info(ctx)
		}
	}
	if err != nil {
		return err
	}
	return s.misfits(&i.Config)
}

// noPeers is the code of a cluster that does not have as many servers as replicas, perhaps not yet:
// servers that are started together with the nodes find each other within seconds. So it is tried again
// until startTime.
const noPeers = 10005

// start prepares the stream, and tries whether this user may do all that is needed: a permission that is
// missing is found when the program starts, and not when the first client joins.
func (s *store) start(ctx context.Context) error {
	err := s.again(ctx, func() error {
		err := s.prepare(ctx)
		if hasCode(err, noPeers) {
			return fmt.Errorf("%w: %w", errUnsent, err)
		}
		return err
	})
	if err != nil {
		return s.explain(err)
	}
	probe := probeSubject(s.Prefix)
	for _, f := range []func() error{
		func() error { return s.tryPublish(ctx, probe) },
		func() error { return s.tryPublish(ctx, markOf(s.Prefix, probe)) },
		func() error { return s.tryPublish(ctx, janitorSubject(s.Prefix)) },
		func() error { _, err := s.getOnce(ctx, getRequest{Last: probe}); return err },
		func() error { return s.purge(ctx, probe, 0) },
		func() error {
			_, err := s.direct(ctx, getRequest{Sequence: 1, Next: probe}, func(*record) {})
			return err
		},
	} {
		if err := s.again(ctx, f); err != nil {
			return s.explain(err)
		}
	}
	return nil
}

// tryPublish publishes a message that the stream cannot take, so that a permission is tried and nothing is left
// behind.
func (s *store) tryPublish(ctx context.Context, subject string) error {
	m := nats.NewMsg(subject)
	expect(m, impossible)
	_, err := s.publish(ctx, m)
	if hasCode(err, codeWrongLast) || hasCode(err, codeLastInFlight) {
		return nil
	}
	return err
}

// explain adds to an error of the start what to do about it.
func (s *store) explain(err error) error {
	at := "NATS at " + s.link.servers
	switch {
	case errors.Is(err, errDenied):
		return fmt.Errorf("%s: %w", at, err)
	case hasCode(err, codeNoReplicas), hasCode(err, noPeers):
		return fmt.Errorf("%s has less than %d servers with JetStream and room (%w); start them, or set option Replicas to 1 if a single server is enough", at, s.Replicas, err)
	case hasCode(err, codeNotEnabled), hasCode(err, codeNoAccount), errors.Is(err, errUnsent):
		return fmt.Errorf("%s has no JetStream for this account (%w); history needs NATS servers of its own with JetStream on, and the servers that natspubsub embeds have none", at, err)
	case hasCode(err, codeOverlap):
		return fmt.Errorf("another stream keeps subjects below %q (%w); set option Stream to its name, or another Prefix", s.Prefix, err)
	}
	return fmt.Errorf("the stream %q at %s: %w", s.Stream, s.link.servers, err)
}

// purge removes the messages of a subject below a sequence, or all for 0. If its answer is lost it can be made
// again: nothing that came meanwhile is below the sequence.
func (s *store) purge(ctx context.Context, subject string, below uint64) error {
	return s.call(ctx, "STREAM.PURGE", map[string]any{"filter": subject, "seq": below}, nil)
}

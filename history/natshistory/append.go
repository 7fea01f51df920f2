package natshistory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/notice"
)

// An appending is one call of Append.
//
// The server takes a message only if the newest of its subject is still the one that the publisher
// names. So of all tries of an append that name the same one, the server takes one at most, however
// late they arrive, and none once another message has come. A try that names another one is sent only
// with the same message id, by which the server knows an entry that it has taken: then it answers with
// the sequence of the first. Since some servers compare the newest before the id, an answer that the
// newest is another one says nothing about the tries before: the other one may be this very entry.
type appending struct {
	*store
	subject string
	id      string
	entry   *history.Entry
	options *history.AppendOptions
	topic   *topic

	unsure  bool   // a try has no answer: the server may have taken it, or may take it still
	refused bool   // a try came behind another message than it had named
	tried   bool   // a try was sent
	began   uint64 // newest sequence before the first try: the entry is doubled if it is there
	waits   int    // answers that the id is in process; see patienceInProcess
	renamed int    // ids besides the first
}

// Append implements history.Store.
func (s *store) Append(ctx context.Context, name string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
	leave, err := s.enter()
	if err != nil {
		return history.Place{}, err
	}
	defer leave()
	if o.Keep.Size > s.Size {
		return history.Place{}, fmt.Errorf("%w: Size of the topic %q is %d, and natshistory.Options.Size is %d; raise it", history.ErrUnavailable, name, o.Keep.Size, s.Size)
	}
	subject := logSubject(s.Prefix, name)
	t := s.topics.use(subject)
	defer s.topics.release(t)
	if !t.take(ctx) {
		return history.Place{}, failed(context.Cause(ctx), false)
	}
	defer t.give()
	a := &appending{store: s, subject: subject, id: messageID(name, e, o.Key), entry: e, options: o, topic: t}
	p, err := a.run(ctx)
	if err == nil && !p.Doubled && e.Number > 0 {
		t.numbered(e.Boot, e.Number)
	}
	return p, err
}

// run tries until the answer is known or ctx ends. The turn of the topic is held, so this node has one append
// of the topic under way at a time; other nodes are refused by the server, and look again. A try costs one
// round trip while the newest record is fresh, and two otherwise.
func (a *appending) run(ctx context.Context) (history.Place, error) {
	last := a.topic.fresh(a.link.generation())
	if after := a.options.After; last != nil && after != nil && last.head() != *after {
		last = nil // another node may have appended what After means
	}
	var refusal error // of the last try
	for round := 0; ; round++ {
		if last == nil {
			var err error
			if last, err = a.look(ctx); err != nil {
				if refusal != nil && ctx.Err() != nil {
					err = refusal // says more than that there was no time left
				}
				return history.Place{}, failed(err, a.unsure)
			}
		}
		if p, done, err := a.decided(ctx, last); done {
			return p, err
		}
		p, done, err := a.try(ctx, last)
		if done {
			return p, err
		}
		if last = a.other(ctx, err); last != nil {
			continue
		}
		a.topic.last, refusal = nil, err
		if hasCode(err, codeInProcess) {
			if p, done, err := a.wait(ctx); done {
				return p, err
			}
		}
		if errors.Is(err, errNobody) && round > 2 {
			err = a.mend(ctx, err)
		}
		if pause := backoff(round, err); pause > 0 && !a.pause(ctx, pause) || ctx.Err() != nil {
			return history.Place{}, failed(err, a.unsure)
		}
	}
}

// mend makes the stream if it is missing, because the server was replaced by an empty one. It returns
// the error of the try, with what it has found. It takes half a second at most, since callers have their own
// pauses between tries.
func (s *store) mend(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second/2)
	defer cancel()
	if cause := s.prepare(ctx); cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// backoff returns the pause after a failed try: up to 250 ms, of which half is random, so that nodes do not
// collide again and again. If others append it is 2 ms at most, or none where the error tells the newest
// sequence: that try can be the next one.
func backoff(round int, err error) time.Duration {
	most := time.Second / 4
	switch {
	case hasCode(err, codeWrongLast):
		return 0
	case hasCode(err, codeLastInFlight), hasCode(err, codeInProcess):
		most = 2 * time.Millisecond
	}
	d := min(time.Millisecond/4<<min(round, 12), most)
	return d/2 + rand.N(d/2+1)
}

// look reads the newest record from the leader. For none it returns an empty one, whose sequence 0 makes the
// server take an entry only if the subject has no message. The generation of the link is read first: what a
// lost connection has answered is not trusted afterwards.
func (a *appending) look(ctx context.Context) (*record, error) {
	generation := a.link.generation()
	r, err := a.newest(ctx, a.subject)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = &record{}
	}
	a.topic.note(r, generation)
	return r, nil
}

// decided reports whether the outcome is known before a try at the given newest record: the number was
// used, or After is not the head.
func (a *appending) decided(ctx context.Context, last *record) (p history.Place, done bool, err error) {
	o := a.options
	used := a.used(last)
	conflict := o.After != nil && last.head() != *o.After
	if !used && !conflict {
		return history.Place{}, false, nil
	}
	if used || o.Key != "" || a.unsure {
		r, err := a.find(ctx, used)
		switch {
		case err != nil:
			return history.Place{}, true, failed(err, a.unsure || used || errors.Is(err, errGone))
		case r != nil:
			return a.placeOf(r), true, nil
		case used:
			return history.Place{}, true, fmt.Errorf("%w: number %d of boot %q is not after the last one, and its entry is not among the newest", history.ErrUnknown, a.entry.Number, a.entry.Boot)
		}
	}
	head := last.head()
	return history.Place{}, true, &history.Conflict{Head: history.OffsetOf(history.Place{Epoch: head.Epoch, Offset: head.Offset})}
}

// used reports whether the number of the entry is not above the last one of its boot, as far as that is
// known: from this node's own appends, and from the newest record. If this call may have appended it, the
// message id tells.
func (a *appending) used(last *record) bool {
	e := a.entry
	number := a.topic.numbers[e.Boot]
	if !last.none() && last.Boot == e.Boot {
		number = max(number, last.Number)
	}
	return e.Number != 0 && e.Number <= number && !a.unsure
}

// placeOf returns the place of an entry that an earlier try has appended. It is doubled if another call has
// made that try, and not if this one has: the caller does not see the tries of one call.
func (a *appending) placeOf(r *record) history.Place {
	p := r.place()
	p.Doubled = !a.unsure || r.sequence <= a.began
	return p
}

// try publishes the entry behind a record. If it is not done, err says why, and run tries again. Errors that
// would come again, such as that of a full stream, end the append.
func (a *appending) try(ctx context.Context, last *record) (p history.Place, done bool, err error) {
	if !a.tried {
		a.tried, a.began = true, last.sequence
	}
	r := newRecord(last, a.subject, a.id, a.entry, a.options.Keep.Age)
	if a.renamed > 0 {
		r.id, r.ID = fmt.Sprint(a.id, ".", a.renamed), a.id
	}
	generation := a.link.generation()
	got, err := a.publish(ctx, r.message(last.sequence))
	a.refused = a.refused || hasCode(err, codeWrongLast) || hasCode(err, codeLastInFlight)
	switch {
	case err == nil && got.Duplicate && got.Sequence == 0: // of servers before 2.11
		return history.Place{}, false, &apiError{Code: 409, ErrCode: codeInProcess, Description: "duplicate message id is in process"}
	case err == nil && got.Duplicate:
		p, err = a.doubled(ctx, got.Sequence)
		return p, true, err
	case err == nil:
		r.sequence = got.Sequence
		a.topic.note(r, generation)
		if last.none() && last.sequence > 0 {
			a.sayForeign(last)
		}
		return r.place(), true, nil
	case errors.Is(err, errUnanswered):
		a.unsure = true
		return history.Place{}, false, err
	case hasCode(err, codeWrongLast), hasCode(err, codeLastInFlight), hasCode(err, codeInProcess):
		return history.Place{}, false, err
	case passing(err):
		return history.Place{}, false, err
	}
	return history.Place{}, true, failed(err, a.unsure)
}

// sayForeign counts and logs that a log was begun anew behind a message of others. What was before that
// message does not belong to the new log, and clients are told that they have lost their place. The message
// itself is not quoted: it may have anything.
func (s *store) sayForeign(last *record) {
	s.book.Say(notice.HistoryForeign, slog.String("subject", last.subject), slog.Uint64("sequence", last.sequence))
}

// other returns the record that has come instead, which an error names, or nil if that is not known. Any
// replica may be asked: one that does not have the record yet is noticed. It saves the question to the
// leader when several nodes append to one topic.
func (a *appending) other(ctx context.Context, err error) *record {
	e, ok := errors.AsType[*apiError](err)
	if !ok || e.ErrCode != codeWrongLast {
		return nil
	}
	sequence, ok := lastOf(e)
	if !ok || sequence == 0 {
		return nil
	}
	generation := a.link.generation()
	r, err := a.at(ctx, sequence)
	if err != nil || r == nil || r.subject != a.subject {
		return nil // the replica does not have it yet
	}
	a.topic.note(r, generation)
	return r
}

// doubled returns the place of the entry to which the server has led.
func (a *appending) doubled(ctx context.Context, sequence uint64) (history.Place, error) {
	r, err := a.appended(ctx, sequence)
	if err != nil {
		return history.Place{}, failed(err, true)
	}
	return a.placeOf(r), nil
}

// appended returns the record of the entry, which an earlier try has appended. The sequence is what the
// server has told, and the message there must be the entry: others can publish with the same id.
func (a *appending) appended(ctx context.Context, sequence uint64) (*record, error) {
	r, err := a.get(ctx, getRequest{Sequence: sequence})
	if err == nil && (r == nil || r.subject != a.subject || !r.is(a.id)) {
		err = errGone
	}
	return r, err
}

// scanned is the number of newest entries in which an append looks for its number. A late try comes within
// seconds, so its entry is among few.
const scanned = 100

// find returns the record that was appended with the id or the number of the entry, or nil if it is not
// known. Servers that can be asked for an id are: they know it for KeyTime, however many entries have come
// since. In a cluster before 2.12 the question itself would keep the id in process, so the newest entries
// are read instead.
func (a *appending) find(ctx context.Context, number bool) (*record, error) {
	if a.Replicas == 1 || a.link.atLeast(2, 12) {
		sequence, err := a.probe(ctx)
		if err != nil {
			return nil, err
		}
		if sequence > 0 {
			return a.appended(ctx, sequence)
		}
		if !number {
			return nil, nil
		}
	}
	return a.scan(ctx)
}

// scan looks for the entry among the newest ones.
func (a *appending) scan(ctx context.Context) (*record, error) {
	last, err := a.look(ctx)
	if err != nil || last.offset() == 0 {
		return nil, err
	}
	list, err := a.store.last(ctx, a.subject, last, scanned)
	e := a.entry
	for _, r := range list {
		if r.is(a.id) || e.Number != 0 && !r.none() && r.Boot == e.Boot && r.Number == e.Number {
			return r, nil
		}
	}
	return nil, err
}

// patienceInProcess is the number of answers that an id is in process, before that is not believed any
// more.
const patienceInProcess = 8

// wait is called when the id is in process, which means that another try with it is being stored. That
// ends soon, except that servers of a cluster before 2.12 keep the id of a message that came too late.
// Then the entry gets another id. It cannot be doubled by that: it is not among the entries up to the
// newest, behind which the next try is published.
func (a *appending) wait(ctx context.Context) (p history.Place, done bool, err error) {
	if a.waits++; a.waits < patienceInProcess {
		return history.Place{}, false, nil
	}
	r, err := a.scan(ctx)
	switch {
	case err != nil && passing(err) && ctx.Err() == nil:
		return history.Place{}, false, nil
	case err != nil:
		return history.Place{}, true, failed(err, a.unsure)
	case r != nil:
		return a.placeOf(r), true, nil
	case a.options.Key != "" && !a.refused:
		return history.Place{}, true, fmt.Errorf("%w: another node has tried to append the key", history.ErrUnknown)
	}
	a.waits = 0
	a.renamed++
	return history.Place{}, false, nil
}

// errGone means that a message was appended before, and was trimmed away.
var errGone = errors.New("the message was appended before, and is not in the stream any more")

// probe asks whether the server knows the id of the entry, by a message that it cannot take for another
// reason. It returns the sequence of the first message, or 0. A stream of several servers looks at the
// id before all expectations, and one of a single server before the expectation of the last id.
func (a *appending) probe(ctx context.Context) (sequence uint64, err error) {
	m := nats.NewMsg(a.subject)
	m.Header[nats.MsgIdHdr] = []string{a.id}
	if a.Replicas > 1 {
		expect(m, impossible)
	} else {
		m.Header[nats.ExpectedLastMsgIdHdr] = []string{"none"}
	}
	err = a.again(ctx, func() error {
		got, err := a.publish(ctx, m)
		switch {
		case err == nil && got.Duplicate:
			sequence = got.Sequence
		case hasCode(err, codeWrongLast), hasCode(err, codeWrongLastID):
			return nil
		case hasCode(err, codeInProcess), hasCode(err, codeLastInFlight):
			return errBehind
		}
		return err
	})
	return sequence, err
}

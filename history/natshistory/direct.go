package natshistory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// direct asks any replica for messages, in one request. It calls each for each message, and reports
// how the server has ended the answer. A replica may lack the newest messages.
//
// The answer is one message of NATS for each message of the stream, whose headers have the sequence, the time
// and the subject, and then one without data whose header Status ends it. A server before 2.11 answers
// with one message and no end; it lacks the header Nats-Num-Pending.
func (s *store) direct(ctx context.Context, request getRequest, each func(*record)) (end ending, err error) {
	data, err := json.Marshal(&request)
	if err != nil {
		return ending{}, err
	}
	subject := s.directSubject()
	conn, alive, err := s.link.use()
	if err != nil {
		return ending{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(alive, cancel)()
	inbox := conn.NewInbox()
	answers := make(chan *nats.Msg, max(request.Batch, len(request.LastOf), 1)+1) // room for all
	sub, err := conn.ChanSubscribe(inbox, answers)
	if err != nil {
		return ending{}, fmt.Errorf("%w: %w", errUnsent, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed
	if err := conn.PublishRequest(subject, inbox, data); err != nil {
		return ending{}, fmt.Errorf("%w: %w", errUnsent, err)
	}
	for {
		m, err := nextAnswer(ctx, answers)
		if err != nil {
			if err := s.link.refused(subject); err != nil {
				return ending{}, err
			}
			return ending{}, errUnanswered
		}
		if status := m.Header.Get("Status"); status != "" {
			return endOf(status, m)
		}
		r, err := decodeDirect(m)
		if err != nil {
			return ending{}, err
		}
		each(r)
		if m.Header.Get("Nats-Num-Pending") == "" {
			return ending{single: true}, nil
		}
	}
}

// nextAnswer waits for a message, at most answerTime. An answer of many messages may take longer, since each
// has that time.
func nextAnswer(ctx context.Context, answers <-chan *nats.Msg) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	select {
	case m := <-answers:
		return m, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *store) directSubject() string { return "$JS.API.DIRECT.GET." + s.Stream }

// at asks any replica for the message with a sequence, once. It returns nil if the replica has none, which may
// be because it is behind: then the caller asks the leader.
func (s *store) at(ctx context.Context, sequence uint64) (*record, error) {
	data, err := json.Marshal(&getRequest{Sequence: sequence})
	if err != nil {
		return nil, err
	}
	m, err := s.link.request(ctx, &nats.Msg{Subject: s.directSubject(), Data: data})
	if err != nil || m.Header.Get("Status") != "" {
		return nil, err
	}
	return decodeDirect(m)
}

// ending is how an answer to a direct request has ended.
type ending struct {
	single  bool   // a server before 2.11, which answers with one message
	refused bool   // such a server does not know the request
	none    bool   // the replica has no such message
	pending uint64 // messages that follow
	upTo    uint64 // newest sequence of the replica; 0 if it does not say
}

// endOf reads the message that ends an answer. Its status is 204 after the messages, 404 if there is
// none, 408 if the server does not understand the request, and 503 if nobody listens.
func endOf(status string, m *nats.Msg) (ending, error) {
	switch status {
	case "204":
		var e ending
		e.pending, _ = strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
		e.upTo, _ = strconv.ParseUint(m.Header.Get("Nats-UpTo-Sequence"), 10, 64)
		return e, nil
	case "404":
		return ending{none: true}, nil
	case "408":
		return ending{refused: true}, nil
	case "503":
		return ending{}, fmt.Errorf("%w: nothing at NATS answers direct gets", errUnsent)
	}
	return ending{}, fmt.Errorf("%w: direct get: %s %s", errUnanswered, status, m.Header.Get("Description"))
}

// decodeDirect reads a message of an answer.
func decodeDirect(m *nats.Msg) (*record, error) {
	sequence, err := strconv.ParseUint(m.Header.Get(nats.JSSequence), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: direct get: no sequence", errUnanswered)
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(nats.JSTimeStamp))
	if err != nil {
		return nil, fmt.Errorf("%w: direct get: no time", errUnanswered)
	}
	return decode(m.Header.Get(nats.JSSubject), sequence, at, m.Header, m.Data), nil
}

// errBehind means that a replica does not have what the leader has.
var errBehind = errors.New("a replica of the stream is behind")

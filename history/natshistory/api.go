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

// apiError is an error of JetStream.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("JetStream: %s (%d)", e.Description, e.ErrCode) }

// Codes of JetStream that mean something to this package (errors.json in nats-server). The codes stay the same
// from version to version, and the texts do not.
const (
	codeNoMessage    = 10037 // of STREAM.MSG.GET: no message of the subject, or with the sequence
	codeTooLarge     = 10054 // more than max_msg_size of the stream
	codeNoStream     = 10059 // it was never made, or its server was replaced
	codeWrongLastID  = 10070 // another id is the last one; only probe expects one
	codeWrongLast    = 10071 // another message is the newest of the subject; the text has its sequence
	codeNoReplicas   = 10074 // a single server has one replica
	codeInProcess    = 10158 // a message with the same id is being stored
	codeLastInFlight = 10164 // a message of the subject is being stored
	codeHeaderLarge  = 10097 // the headers have more than 64 KiB
	codeOverlap      = 10065 // another stream has one of the subjects
	codeNotEnabled   = 10076 // the server runs without JetStream
	codeNoAccount    = 10039 // the account has no JetStream
)

// hasCode reports whether an error is one of JetStream with this code.
func hasCode(err error, code int) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.ErrCode == code
}

// passing reports whether an error may be gone at the next try: the connection or the leader is away, a replica
// is behind, or the server has an error of its own, as in HTTP. A refusal of the request itself is not.
func passing(err error) bool {
	if errors.Is(err, errUnsent) || errors.Is(err, errUnanswered) || errors.Is(err, errBehind) {
		return true
	}
	if e, ok := errors.AsType[*apiError](err); ok {
		return e.Code >= 500 && e.ErrCode != codeNoReplicas && e.ErrCode != codeNotEnabled && e.ErrCode != codeNoAccount
	}
	return false
}

// call makes one request of the API of JetStream, and decodes the answer into result, if that is not
// nil. The requests are JSON at the subject $JS.API.NAME.STREAM. The client
// library has no request for several messages.
func (s *store) call(ctx context.Context, name string, request, result any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := s.link.request(ctx, &nats.Msg{Subject: "$JS.API." + name + "." + s.Stream, Data: data})
	if err != nil {
		return err
	}
	return decodeAnswer(answer.Data, result)
}

// decodeAnswer decodes an answer of JetStream into result, if that is not nil, or returns its error.
func decodeAnswer(data []byte, result any) error {
	var failed struct{ Error *apiError }
	if err := json.Unmarshal(data, &failed); err != nil {
		return fmt.Errorf("%w: the answer is not of JetStream: %w", errUnanswered, err)
	}
	if failed.Error != nil {
		return failed.Error
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(data, result)
}

// getRequest asks for messages, at the leader by STREAM.MSG.GET or at any replica by DIRECT.GET. The fields
// that are not zero are sent.
type getRequest struct {
	Sequence uint64   `json:"seq,omitempty"`          // with Next, the least sequence
	Next     string   `json:"next_by_subj,omitempty"` // the first message of this subject
	Last     string   `json:"last_by_subj,omitempty"` // the newest message of this subject
	Batch    int      `json:"batch,omitempty"`        // that many, from 2.11 on
	MaxBytes int      `json:"max_bytes,omitempty"`    // of the batch, or one message
	LastOf   []string `json:"multi_last,omitempty"`   // the newest of each subject, from 2.11 on
}

// get reads one message at the leader of the stream, which has all messages that were acknowledged. It
// returns nil if there is none. It tries again until ctx ends.
func (s *store) get(ctx context.Context, request getRequest) (r *record, err error) {
	err = s.again(ctx, func() error {
		r, err = s.getOnce(ctx, request)
		return err
	})
	return r, err
}

// getOnce makes one try of get.
func (s *store) getOnce(ctx context.Context, request getRequest) (*record, error) {
	var answer struct {
		Message struct {
			Subject  string
			Sequence uint64 `json:"seq"`
			Header   []byte `json:"hdrs"`
			Data     []byte
			Time     time.Time
		}
	}
	err := s.call(ctx, "STREAM.MSG.GET", &request, &answer)
	if hasCode(err, codeNoMessage) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := &answer.Message
	header, _ := nats.DecodeHeadersMsg(m.Header) // without one it is not sound
	return decode(m.Subject, m.Sequence, m.Time, header, m.Data), nil
}

// newest returns the newest message of a subject, or nil.
func (s *store) newest(ctx context.Context, subject string) (*record, error) {
	return s.get(ctx, getRequest{Last: subject})
}

// next returns the first message of a subject with this sequence or a later one, or nil.
func (s *store) next(ctx context.Context, subject string, sequence uint64) (*record, error) {
	return s.get(ctx, getRequest{Sequence: max(sequence, 1), Next: subject})
}

// again calls f until it succeeds, until its error will not pass, or until ctx or the store ends. It
// pauses in between.
func (s *store) again(ctx context.Context, f func() error) error {
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, time.Second/4) {
		err := f()
		if hasCode(err, codeNoStream) {
			err = s.mend(ctx, fmt.Errorf("%w: %w", errUnsent, err))
		}
		if err == nil || !passing(err) || !s.pause(ctx, pause) {
			return err
		}
	}
}

// pause waits, and reports whether neither ctx nor the store has ended.
func (s *store) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.life.Done():
	}
	return false
}

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

// nextAnswer waits for a message, at most answerTime.
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

// at asks any replica for the message with a sequence, once. It returns nil if the replica has none.
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

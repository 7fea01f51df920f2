package natshistory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

package natshistory

import (
	"context"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

// ack is the answer to a message that the stream has. A server before 2.11 answers a duplicate whose
// first message is still being stored with Duplicate and no sequence.
type ack struct {
	Sequence  uint64 `json:"seq"`
	Duplicate bool   // an earlier message has the same id, and this sequence
}

// publish publishes a message, once, and waits for the answer. The error is nats.ErrMaxPayload, wraps
// errUnsent, errDenied or an *apiError, and then the message was not stored, or wraps errUnanswered.
func (s *store) publish(ctx context.Context, m *nats.Msg) (a ack, err error) {
	answer, err := s.link.request(ctx, m)
	if err != nil {
		return ack{}, err
	}
	err = decodeAnswer(answer.Data, &a)
	return a, err
}

// expect makes the stream take a message only if the newest of its subject has this sequence, or, for 0, if
// the subject has none.
func expect(m *nats.Msg, sequence uint64) {
	m.Header[nats.ExpectedLastSubjSeqHdr] = []string{strconv.FormatUint(sequence, 10)}
}

// impossible is a sequence that no message has. A message that expects it is always refused.
const impossible = 1 << 62

// lastOf returns the sequence that an error codeWrongLast has in its text, "wrong last sequence: 42". ok
// is false if there is none, and then the leader is asked.
func lastOf(e *apiError) (sequence uint64, ok bool) {
	sequence, err := strconv.ParseUint(e.Description[strings.LastIndexByte(e.Description, ' ')+1:], 10, 64)
	return sequence, err == nil
}

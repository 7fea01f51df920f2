package natshistory

import (
	"bytes"
	"testing"

	"github.com/bennu-go/bennu/history"
)

// TestScanOfLargeEntries looks for the newest of entries that are larger together than one page: a try that
// has no answer is the newest, and must be found.
func TestScanOfLargeEntries(t *testing.T) {
	t.Parallel()
	s := open(t, startBroker(t, nil).url(), nil)
	var want history.Place
	for n := uint64(1); n <= 30; n++ {
		e := entry("a", n)
		e.Payload, e.Binary = bytes.Repeat([]byte("x"), 100_000), true
		want = put(t, s, "t", e)
	}
	subject := logSubject(s.Prefix, "t")
	topic := s.topics.use(subject)
	defer s.topics.release(topic)
	a := &appending{store: s, subject: subject, id: messageID("t", entry("a", 30), ""), entry: entry("a", 30), topic: topic}
	r, err := a.scan(patient(t))
	if err != nil || r == nil || r.place() != want {
		t.Errorf("the newest of 30 large entries: %+v, %v, want %+v", r, err, want)
	}
}

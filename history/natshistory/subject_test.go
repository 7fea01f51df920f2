package natshistory

import (
	"strings"
	"testing"

	"github.com/bennu-go/bennu/history"
)

// TestSubjects has topics whose subjects must be distinct and valid.
func TestSubjects(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 200)
	seen := make(map[string]string)
	for _, topic := range []string{"", " ", "=", "==", "=20", "a.b", "a=2Eb", "*", ">", "room:1", "probe", "=probe", "h", long, long + "x", strings.Repeat("a", 255)} {
		subject := logSubject("my.app", topic)
		if last, ok := strings.CutPrefix(subject, "my.app.l."); !ok || last == "" || strings.ContainsAny(last, " .*>\r\n\x00") || len(last) > maxEscaped {
			t.Errorf("topic %.20q has the subject %q", topic, subject)
		}
		if other, ok := seen[subject]; ok || subject == probeSubject("my.app") {
			t.Errorf("topics %.20q and %.20q have one subject", topic, other)
		}
		seen[subject] = topic
		if mark := markOf("my.app", subject); !strings.HasPrefix(mark, "my.app.k.") {
			t.Errorf("the mark of %q is %q", subject, mark)
		}
	}
}

// TestMessageIDs has entries whose ids must differ.
func TestMessageIDs(t *testing.T) {
	t.Parallel()
	seen := make(map[string]int)
	for i, c := range []struct {
		topic, boot string
		number      uint64
		key         string
	}{
		{"t", "b", 1, ""}, {"u", "b", 1, ""}, {"t", "b1", 1, ""}, {"t", "b", 2, ""}, {"tb", "", 1, ""},
		{"t", "b", 1, "b"}, {"t", "b", 1, "b1"}, {"t", "", 1, "b\x00\x00\x00\x00\x00\x00\x00\x01"}, {"tb", "b", 1, "b"},
	} {
		id := messageID(c.topic, &history.Entry{Boot: c.boot, Number: c.number}, c.key)
		if other, ok := seen[id]; ok {
			t.Errorf("entries %d and %d have one id", i, other)
		}
		seen[id] = i
	}
	if messageID("t", &history.Entry{Boot: "a"}, "k") != messageID("t", &history.Entry{Boot: "b"}, "k") {
		t.Error("a key has different ids for two boots")
	}
}

// TestOffsets checks that offsets rise with the sequence, and differ by the id.
func TestOffsets(t *testing.T) {
	t.Parallel()
	tags := make(map[uint64]bool)
	for i := range 100 {
		id := strings.Repeat("x", i)
		if o := offset(7, id); o>>tagBits != 7 || o >= offset(8, "") {
			t.Errorf("offset %d", o)
		} else {
			tags[o] = true
		}
	}
	if len(tags) < 80 {
		t.Errorf("100 ids have %d offsets", len(tags))
	}
}

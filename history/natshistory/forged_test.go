package natshistory

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/waittest"
)

// connected returns a connection of somebody else.
func connected(t *testing.T, b *broker) *nats.Conn {
	t.Helper()
	c, err := nats.Connect(b.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// forge publishes a record of others, which has the form of one of this package.
func forge(t *testing.T, c *nats.Conn, subject string, m *meta) {
	t.Helper()
	r := &record{subject: subject, id: fmt.Sprint("forged", m.Count, m.Prev, m.Sum), meta: *m, payload: []byte("{}")}
	msg := r.message(0)
	delete(msg.Header, nats.ExpectedLastSubjSeqHdr)
	if _, err := c.RequestMsg(msg, answerTime); err != nil {
		t.Fatal(err)
	}
}

// soon reads in every way. Each must end, with few entries.
func soon(t *testing.T, s *store, name, topic string, places []history.Place) {
	t.Helper()
	h := head(t, s, topic)
	all := []history.ReadOptions{{Newest: true}, {Newest: true, Before: h.Offset}, {Newest: true, Before: h.Offset + 1}, {}}
	after := []uint64{0, 0, 0, h.Offset}
	for _, p := range places {
		all, after = append(all, history.ReadOptions{Newest: true, Before: p.Offset}, history.ReadOptions{}), append(after, 0, p.Offset)
	}
	for i := range all {
		for _, keep := range []history.Keep{plenty, {Size: 2, Bytes: 1 << 20, Age: time.Hour}, {Size: 100, Bytes: 3, Age: time.Hour}} {
			o := all[i]
			o.Keep, o.Entries, o.Bytes = keep, 5, 100
			ctx, cancel := context.WithTimeout(t.Context(), waittest.Patience/4)
			p, err := s.Read(ctx, topic, after[i], &o)
			cancel()
			if err != nil || len(p.Entries) > 5 {
				t.Errorf("%s: Read after %d with %+v: %d entries, %v", name, after[i], o, len(p.Entries), err)
			}
		}
	}
}

// TestForgedRecords has records whose numbers cannot be, or do not fit to the others. A Read ends and takes no
// more than it was asked for, and the log goes on.
func TestForgedRecords(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	s, c := open(t, b.url(), nil), connected(t, b)
	for n := uint64(1); n <= 50; n++ {
		put(t, s, "other", entry("a", n))
	}
	for name, change := range map[string]func(*meta){
		"count":      func(m *meta) { m.Count = math.MaxUint64 },
		"more":       func(m *meta) { m.Count = 40 },
		"none":       func(m *meta) { m.Count = 0 },
		"fewer":      func(m *meta) { m.Count = 1 },
		"sum":        func(m *meta) { m.Sum = math.MaxUint64 },
		"less":       func(m *meta) { m.Sum = 2 },
		"much":       func(m *meta) { m.Sum = 1 << 40 },
		"prev":       func(m *meta) { m.Prev = math.MaxUint64 },
		"other prev": func(m *meta) { m.Prev -= 5 },
		"first":      func(m *meta) { m.Prev = 0 },
		"epoch":      func(m *meta) { m.Epoch = "aaaaaaaa" },
		"age":        func(m *meta) { m.Age = math.MinInt64 },
	} {
		topic := "t:" + name
		var places []history.Place
		for n := uint64(1); n <= 6; n++ {
			places = append(places, put(t, s, topic, entry("a", n)))
		}
		m := meta{Epoch: places[5].Epoch, Prev: places[5].Offset, Count: 7, Sum: 14, Event: "e", Boot: "a", Number: 7}
		change(&m)
		forge(t, c, logSubject(s.Prefix, topic), &m)
		soon(t, s, name, topic, places)
		for n := uint64(8); n <= 10; n++ {
			places = append(places, put(t, s, topic, entry("b", n)))
		}
		soon(t, s, name, topic, places)
		last := places[len(places)-1]
		if p := read(t, s, topic, last.Prev); !p.Known || len(p.Entries) != 1 || p.Entries[0].Place != last || last.Prev != places[len(places)-2].Offset {
			t.Errorf("%s: the log does not go on: %+v, want %+v", name, p, last)
		}
		// An append looks for its number among the newest.
		if p, err := s.Append(patient(t), topic, entry("b", 8), &history.AppendOptions{Keep: plenty}); err == nil && !p.Doubled {
			t.Errorf("%s: number 8 was appended twice", name)
		}
	}
}

// TestDeletedMessages has logs from which somebody has deleted a message. Who reads over the gap is told so.
func TestDeletedMessages(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	s, c := open(t, b.url(), nil), connected(t, b)
	for i := range 5 {
		topic := fmt.Sprint("t", i)
		var places []history.Place
		for n := uint64(1); n <= 5; n++ {
			places = append(places, put(t, s, topic, entry("a", n)))
		}
		request := fmt.Sprintf(`{"seq":%d}`, places[i].Offset>>tagBits)
		if m, err := c.Request("$JS.API.STREAM.MSG.DELETE."+s.Stream, []byte(request), answerTime); err != nil || strings.Contains(string(m.Data), "error") {
			t.Fatal(err, string(m.Data))
		}
		soon(t, s, topic, topic, places)
		if i > 0 && i < 4 {
			if p := read(t, s, topic, places[i-1].Offset); p.Known || len(p.Entries) > 0 {
				t.Errorf("before the gap %d: %+v", i, p)
			}
		}
		if p := read(t, s, topic, places[4].Offset); i < 4 && !p.Known {
			t.Errorf("behind the gap %d: %+v", i, p)
		}
	}
}

// TestMarksOfManyTopics follows more topics than a store remembers otherwise: each is marked once.
func TestMarksOfManyTopics(t *testing.T) {
	t.Parallel()
	var m marks
	for round := range 2 {
		due := 0
		for i := range 100_000 {
			if m.due(fmt.Sprint("bennu.l.room:", i), time.Hour) {
				due++
			}
		}
		if want := 100_000 * (1 - round); due != want {
			t.Errorf("round %d: %d topics are marked, want %d", round, due, want)
		}
	}
}

// TestHeadsOfLargeMessages has newest messages that are larger together than an answer may be.
func TestHeadsOfLargeMessages(t *testing.T) {
	t.Parallel()
	s := open(t, startBroker(t, nil).url(), nil)
	topics, want := []string{"none"}, []history.Head{{}}
	for i := range 30 {
		e := entry("a", 1)
		e.Payload, e.Binary = make([]byte, 600_000), true
		topics = append(topics, fmt.Sprint("t", i))
		p := put(t, s, topics[i+1], e)
		want = append(want, history.Head{Epoch: p.Epoch, Offset: p.Offset})
	}
	var subjects []string
	for _, topic := range topics {
		subjects = append(subjects, logSubject(s.Prefix, topic))
	}
	// In few requests, and not by one for each topic.
	found, err := s.newestMany(patient(t), subjects)
	if err != nil || len(found) != 30 {
		t.Errorf("%d of 30, %v", len(found), err)
	}
	for _, r := range found {
		if len(r.payload) > 0 {
			t.Error("a payload is kept")
		}
	}
	got, err := s.Heads(patient(t), topics)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("heads %+v, %v, want %+v", got, err, want)
	}
}

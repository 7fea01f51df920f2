package history_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// page reads a page, which must succeed.
func (n *node) page(topic string, q history.Query) history.Page {
	n.t.Helper()
	p, err := n.Read(context.Background(), topic, &q)
	if err != nil {
		n.t.Fatalf("%+v: %v", q, err)
	}
	return p
}

// short writes a page as its events, with "+" if there are more, or "gone".
func short(p history.Page) string {
	text := eventsOf(p.Messages)
	if p.More {
		text += " +"
	}
	if p.Gone {
		text += "gone"
	}
	return text
}

func TestRead(t *testing.T) {
	n := start(t, &history.Options{Topics: []history.Topic{{Pattern: "t*", Size: 8}}})
	var at []history.Offset
	for i := range 10 {
		at = append(at, n.must("t", fmt.Sprint(i))) // 0 and 1 are not kept
	}
	other := n.must("t2", "x")
	for _, test := range []struct {
		q    history.Query
		want string
	}{
		{history.Query{}, "2 3 4 5 6 7 8 9"},
		{history.Query{Limit: 3}, "2 3 4 +"},
		{history.Query{Limit: 8}, "2 3 4 5 6 7 8 9"},
		{history.Query{After: at[4]}, "5 6 7 8 9"},
		{history.Query{After: at[4], Limit: 2}, "5 6 +"},
		{history.Query{After: at[4], Limit: 5}, "5 6 7 8 9"},
		{history.Query{After: at[9]}, ""},
		{history.Query{After: at[1]}, "2 3 4 5 6 7 8 9"},
		{history.Query{After: at[0]}, "gone"},
		{history.Query{After: other}, "gone"},
		{history.Query{Before: at[9], Limit: 3}, "6 7 8 +"},
		{history.Query{Before: at[4], Limit: 2}, "2 3"},
		{history.Query{Before: at[4], Limit: 1}, "3 +"},
		{history.Query{Before: at[2]}, ""},
		{history.Query{Before: at[1]}, "gone"},
		{history.Query{Before: other}, "gone"},
		{history.Query{Last: 2}, "8 9 +"},
		{history.Query{Last: 8}, "2 3 4 5 6 7 8 9"},
		{history.Query{Last: 100}, "2 3 4 5 6 7 8 9"},
		{history.Query{Last: 100, Limit: 1}, "9 +"},
		{history.Query{Since: time.Now().Add(-time.Hour)}, "2 3 4 5 6 7 8 9"},
		{history.Query{Since: time.Now().Add(time.Hour)}, ""},
	} {
		p := n.page("t", test.q)
		if got := short(p); got != test.want || p.Head != at[9] {
			t.Errorf("%+v: %q with head %v, want %q with head %v", test.q, got, p.Head, test.want, at[9])
		}
		for _, m := range p.Messages {
			if m.Offset != at[m.Event[0]-'0'] || string(m.Payload) != "{}" || m.Binary || time.Since(m.Time) > waittest.Patience {
				t.Errorf("%+v", m)
			}
		}
	}
	if p := n.page("t3", history.Query{}); !p.Head.IsZero() || short(p) != "" {
		t.Errorf("a topic without messages: %+v", p)
	}
	for _, q := range []history.Query{{After: at[9]}, {Before: at[9]}} {
		if got := short(n.page("t3", q)); got != "gone" {
			t.Errorf("%+v in a topic without messages: %q", q, got)
		}
	}
}

// TestReadUp pages from the newest to the oldest.
func TestReadUp(t *testing.T) {
	n := start(t, &history.Options{})
	for i := range 25 {
		n.must("t", fmt.Sprint(i))
	}
	p := n.page("t", history.Query{Last: 10})
	var pages []string
	for {
		pages = append([]string{eventsOf(p.Messages)}, pages...)
		if !p.More {
			break
		}
		p = n.page("t", history.Query{Before: p.Messages[0].Offset, Limit: 10})
	}
	if len(pages) != 3 || strings.Join(pages, " ") != n.events("t") {
		t.Errorf("%q", pages)
	}
}

func TestReadSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, &history.Options{Topics: []history.Topic{{Pattern: "t", Size: 50}}})
		defer n.close()
		var times []time.Time
		for i := range 60 {
			time.Sleep(time.Second)
			times = append(times, time.Now())
			n.must("t", fmt.Sprint(i))
		}
		for i, at := range times {
			first := max(i, 10)
			p := n.page("t", history.Query{Since: at, Limit: 1})
			if got := eventsOf(p.Messages); got != fmt.Sprint(first) || p.More != (first < 59) {
				t.Errorf("since %d: %q, more %t", i, got, p.More)
			}
			if got := eventsOf(n.page("t", history.Query{Since: at.Add(time.Millisecond), Limit: 1}).Messages); i < 59 && got != fmt.Sprint(max(i+1, 10)) {
				t.Errorf("since just after %d: %q", i, got)
			}
		}
	})
}

func TestReadBytes(t *testing.T) {
	n := start(t, &history.Options{Topics: []history.Topic{{Pattern: "t", Bytes: 100 << 20}}})
	for i := range 5 {
		m := &pubsub.Message{Topic: "t", Event: fmt.Sprint(i), Payload: make([]byte, 3<<20), Binary: true}
		if _, err := n.inside().Publish(t.Context(), m, follow.PublishOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for q, want := range map[history.Query]string{{}: "0 +", {Last: 3}: "4 +"} {
		p := n.page("t", q)
		if got := short(p); got != want || !p.Messages[0].Binary {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
}

func TestQueries(t *testing.T) {
	n := start(t, &history.Options{})
	at := n.must("t", "a")
	for _, test := range []struct {
		q    history.Query
		want string
	}{
		{history.Query{After: at, Before: at}, "one of After, Before, Last and Since"},
		{history.Query{Last: 1, Since: time.Now()}, "one of After, Before, Last and Since"},
		{history.Query{Limit: -1}, "use 1 to 1000, or 0"},
		{history.Query{Limit: 1001}, "use 1 to 1000, or 0"},
		{history.Query{Last: -1}, "use 1 to 1000"},
		{history.Query{Last: 1001}, "use 1 to 1000"},
	} {
		if _, err := n.Read(t.Context(), "t", &test.q); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.q, err, test.want)
		}
	}
	_, err := n.Read(t.Context(), "other", nil)
	wantError(t, "a topic that is not kept", err, history.ErrNotKept)
}

func TestErase(t *testing.T) {
	n := start(t, &history.Options{})
	r := n.subscribe("t")
	at := n.must("t", "a", "b")
	if err := n.Erase(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	p := n.page("t", history.Query{After: at})
	if !p.Gone || p.Head.String()[:8] == at.String()[:8] || n.events("t") != "" {
		t.Errorf("%+v", p)
	}
	waittest.Until(t, "the subscriber hears of it", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.broke == 1
	})
	n.must("t", "c")
	if r.got() != "a b c" || n.events("t") != "c" {
		t.Errorf("%q", r.got())
	}
	if err := n.Erase(t.Context(), "t2"); err != nil {
		t.Errorf("a topic without messages: %v", err)
	}
	wantError(t, "a topic that is not kept", n.Erase(t.Context(), "other"), history.ErrNotKept)
}

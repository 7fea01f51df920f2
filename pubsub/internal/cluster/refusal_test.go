package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// linesWith counts the lines of a log that have all of some texts.
func linesWith(log *waittest.Buffer, texts ...string) (count int) {
	for line := range strings.Lines(log.String()) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			count++
		}
	}
	return count
}

// TestRefusedTopicLines has a broker that refuses two topics and takes them again. The line of
// each has the cause of that topic, and there is one when the broker takes it again, also when
// nobody wants it any more.
func TestRefusedTopicLines(t *testing.T) {
	var log waittest.Buffer
	w := &wire{}
	inBubble(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, w, func(t *testing.T, n *Node, _ *ear) {
		refusal := &Refusal{}
		for _, topic := range []string{"a", "b"} {
			refusal.Add(TopicChannel(DefaultPrefix, topic), fmt.Errorf("no right to %s", topic))
		}
		w.do(func() { w.refuse = refusal })
		n.Interest("a")
		n.Interest("b")
		time.Sleep(5 * time.Second)
		n.Forget("b")
		time.Sleep(5 * time.Second)
		for _, topic := range []string{"a", "b"} {
			if got := linesWith(&log, "reason=broker_topic_refused", "topic="+topic, "no right to "+topic); got != 1 {
				t.Errorf("%d lines say that topic %s is refused, and why", got, topic)
			}
		}
		if got := linesWith(&log, "reason=broker_topic_back"); got != 0 {
			t.Errorf("%d lines say that the broker takes what it refuses", got)
		}
		w.do(func() { w.refuse = nil })
		time.Sleep(5 * time.Second)
		for _, topic := range []string{"a", "b"} {
			if got := linesWith(&log, "reason=broker_topic_back", "topic="+topic); got != 1 {
				t.Errorf("%d lines say that the broker takes topic %s again", got, topic)
			}
		}
	})
}

// TestRefusedMessageLines publishes every 1.5 s to a channel that the broker refuses. All are
// counted, and a line comes once in a while.
func TestRefusedMessageLines(t *testing.T) {
	var log waittest.Buffer
	w := &wire{}
	inBubble(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, w, func(t *testing.T, n *Node, _ *ear) {
		channel := TopicChannel(DefaultPrefix, "t")
		w.do(func() { w.reject = &Refusal{Channels: []string{channel}, Cause: errors.New("no right")} })
		const messages = 100
		refused := 0
		for range messages {
			if n.Broadcast(&pubsub.Message{Topic: "t", Event: "e"}) != nil {
				refused++
			}
			time.Sleep(1500 * time.Millisecond)
		}
		if got := n.book.Count(notice.BrokerRefused); got != messages || refused != messages-1 {
			t.Errorf("of %d messages %d are counted, and %d were an error", messages, got, refused)
		}
		if got := linesWith(&log, "reason=broker_refused", "no right"); got != 3 {
			t.Errorf("%d lines in two and a half minutes", got)
		}
		w.do(func() { w.reject = nil })
		time.Sleep(2 * refusalPause)
		if err := n.Broadcast(&pubsub.Message{Topic: "t", Event: "e"}); err != nil {
			t.Error(err)
		}
		if got := linesWith(&log, "reason=broker_takes", "channel="+channel); got != 1 {
			t.Errorf("%d lines say that the broker takes messages again", got)
		}
	})
}

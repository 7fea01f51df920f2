package wstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Message is one message of version 2. The refs are JSON: `"1"`, or `null`.
type Message struct {
	JoinRef, Ref string
	Topic, Event string
	Payload      string // JSON
	Status       string // of a phx_reply
	Response     string // of a phx_reply, JSON
	text         string
}

// String is the message as it came.
func (m Message) String() string { return m.text }

// parse reads a text frame.
func (c *Client) parse(f Frame) Message {
	c.tb.Helper()
	var raw []json.RawMessage
	m := Message{text: string(f.Payload)}
	err := json.Unmarshal(f.Payload, &raw)
	if err == nil && len(raw) != 5 {
		err = fmt.Errorf("%d elements", len(raw))
	}
	if err == nil {
		m.JoinRef, m.Ref, m.Payload = string(raw[0]), string(raw[1]), string(raw[4])
		_ = json.Unmarshal(raw[2], &m.Topic) // a topic that is no string stays empty
		err = json.Unmarshal(raw[3], &m.Event)
	}
	if err == nil && m.Event == "phx_reply" {
		var reply struct {
			Status   string
			Response json.RawMessage
		}
		err = json.Unmarshal(raw[4], &reply)
		m.Status, m.Response = reply.Status, string(reply.Response)
	}
	if err != nil {
		c.tb.Fatalf("%v is not a message: %v%s", f, err, c.history())
	}
	return m
}

// Message is the next message, which must be text.
func (c *Client) Message() Message {
	c.tb.Helper()
	if len(c.kept) > 0 {
		m := c.kept[0]
		c.kept = c.kept[1:]
		return m
	}
	return c.read()
}

func (c *Client) read() Message {
	c.tb.Helper()
	deadline := time.Now().Add(Patience)
	f := c.nextBy(deadline)
	for f.Op == OpPing {
		c.answer(f)
		f = c.nextBy(deadline)
	}
	if f.Op != OpText {
		c.tb.Fatalf("got %v, want a message%s", f, c.history())
	}
	return c.parse(f)
}

// Await is the first message that fits; those before it are kept, in order, for
// later calls. The failure message says what it was that did not come.
func (c *Client) Await(what string, fits func(Message) bool) Message {
	c.tb.Helper()
	for i, m := range c.kept {
		if fits(m) {
			c.kept = append(c.kept[:i:i], c.kept[i+1:]...)
			return m
		}
	}
	for deadline := time.Now().Add(Patience); ; {
		f, err := c.next(deadline)
		if err != nil {
			c.tb.Fatalf("waiting for %s: %v%s", what, err, c.history())
		}
		if f.Op == OpPing {
			c.answer(f)
			continue
		}
		if f.Op != OpText {
			c.tb.Fatalf("waiting for %s: got %v%s", what, f, c.history())
		}
		m := c.parse(f)
		if fits(m) {
			return m
		}
		c.kept = append(c.kept, m)
	}
}

// Pending is how many messages were read and not yet asked for.
func (c *Client) Pending() int { return len(c.kept) }

// Event awaits an event on a topic.
func (c *Client) Event(topic, event string) Message {
	c.tb.Helper()
	return c.Await(event+" on "+topic, func(m Message) bool { return m.Topic == topic && m.Event == event })
}

// ReplyTo awaits the reply to a ref.
func (c *Client) ReplyTo(ref string) Message {
	c.tb.Helper()
	return c.Await("the reply to "+ref, func(m Message) bool { return m.Event == "phx_reply" && m.Ref == ref })
}

// Ref makes a ref that was not used before.
func (c *Client) Ref() string {
	c.refs++
	return strconv.Quote(strconv.Itoa(c.refs))
}

// JoinRef is the join_ref of the last join of a topic, or null.
func (c *Client) JoinRef(topic string) string {
	if ref, ok := c.joinRefs[topic]; ok {
		return ref
	}
	return "null"
}

// Frame makes the next message on a topic, with a ref of its own: a phx_join has
// it as join_ref too, other events have that of the last join.
func (c *Client) Frame(topic, event, payload string) (f Frame, ref string) {
	ref = c.Ref()
	if event == "phx_join" {
		c.joinRefs[topic] = ref
	}
	return Text(V2(c.JoinRef(topic), ref, topic, event, payload)), ref
}

// Push sends an event. It does not wait; ref is that of the reply.
func (c *Client) Push(topic, event, payload string) (ref string) {
	c.tb.Helper()
	f, ref := c.Frame(topic, event, payload)
	c.Send(f)
	return ref
}

// Ask sends an event and awaits its reply.
func (c *Client) Ask(topic, event, payload string) (status, response string) {
	c.tb.Helper()
	m := c.ReplyTo(c.Push(topic, event, payload))
	return m.Status, m.Response
}

// Want asks, and compares the reply's status and, as JSON, its response.
func (c *Client) Want(topic, event, payload, status, response string) {
	c.tb.Helper()
	s, r := c.Ask(topic, event, payload)
	if s != status || canonical(r) != canonical(response) {
		c.tb.Fatalf("%s %s on %s: got %s %s, want %s %s%s", event, payload, topic, s, r, status, response, c.history())
	}
}

// Join joins a topic and returns its join_ref.
func (c *Client) Join(topic string) (joinRef string) {
	c.tb.Helper()
	ref := c.Push(topic, "phx_join", "{}")
	if m := c.ReplyTo(ref); m.Status != "ok" {
		c.tb.Fatalf("join of %s: %v%s", topic, m, c.history())
	}
	return ref
}

// Expect wants exactly these messages next, as JSON, and in this order.
func (c *Client) Expect(wants ...string) {
	c.tb.Helper()
	for i, want := range wants {
		if got := c.text(); got != want && canonical(got) != canonical(want) {
			c.tb.Fatalf("message %d of %d\ngot  %v\nwant %s%s", i+1, len(wants), got, want, c.history())
		}
	}
}

// ExpectAll wants exactly these messages next, as JSON, in any order.
func (c *Client) ExpectAll(wants ...string) {
	c.tb.Helper()
	left := make(map[string]int, len(wants))
	for _, want := range wants {
		left[want]++
	}
	for range wants {
		got := c.text()
		key := got
		for want := range left {
			if left[key] > 0 {
				break
			}
			if canonical(want) == canonical(got) {
				key = want
			}
		}
		if left[key] == 0 {
			c.tb.Fatalf("got %v, want one of\n\t%s%s", got, strings.Join(slices.Sorted(maps.Keys(left)), "\n\t"), c.history())
		}
		if left[key]--; left[key] == 0 {
			delete(left, key)
		}
	}
}

// text is the next message, not looked into.
func (c *Client) text() string {
	c.tb.Helper()
	if len(c.kept) > 0 {
		return c.Message().text
	}
	f := c.Next()
	if f.Op != OpText {
		c.tb.Fatalf("got %v, want a message%s", f, c.history())
	}
	return string(f.Payload)
}

// Fence wants nothing to come but the reply to a heartbeat. Whatever the server
// had queued before it handled that heartbeat would have come first.
func (c *Client) Fence() {
	c.tb.Helper()
	ref := c.Ref()
	c.Send(Text(V2("null", ref, "phoenix", "heartbeat", "{}")))
	c.Expect(Reply("null", ref, "phoenix", "ok", "{}"))
}

// canonical makes equal JSON equal text.
func canonical(text string) string {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return text
	}
	b, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(b)
}

// The messages of version 2. Refs and payloads are JSON, names are not.

// V2 is any message.
func V2(joinRef, ref, topic, event, payload string) string {
	return "[" + joinRef + "," + ref + "," + strconv.Quote(topic) + "," + strconv.Quote(event) + "," + payload + "]"
}

// Reply is a phx_reply.
func Reply(joinRef, ref, topic, status, response string) string {
	return V2(joinRef, ref, topic, "phx_reply", `{"response":`+response+`,"status":"`+status+`"}`)
}

// OK is the reply {} with status ok.
func OK(joinRef, ref, topic string) string { return Reply(joinRef, ref, topic, "ok", "{}") }

// Refused is an error reply with a reason.
func Refused(joinRef, ref, topic, reason string) string {
	return Reply(joinRef, ref, topic, "error", `{"reason":`+strconv.Quote(reason)+`}`)
}

// Closed is the phx_close of a join.
func Closed(joinRef, topic string) string { return V2(joinRef, joinRef, topic, "phx_close", "{}") }

// Crashed is the phx_error of a join.
func Crashed(joinRef, topic string) string {
	return V2(joinRef, joinRef, topic, "phx_error", `{"reason":"channel_crash"}`)
}

// Broadcast is a broadcast.
func Broadcast(topic, event, payload string) string { return V2("null", "null", topic, event, payload) }

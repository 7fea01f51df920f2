package cluster

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/pubsub"
)

var testCodecs = map[string]codec{"open": newCodec(nil), "signed": newCodec([]byte("a secret of enough bytes"))}

func testEnvelopes() []envelope {
	return []envelope{
		{kind: kindText, boot: 1, serial: 5, epoch: 1, seq: 1, message: pubsub.Message{Topic: "t", Event: "e", Payload: []byte("{}")}},
		{kind: kindBinary, boot: 1<<64 - 1, serial: 1<<64 - 1, epoch: 1<<64 - 1, seq: 1<<64 - 1, message: pubsub.Message{Payload: []byte{}, Binary: true}},
		{kind: kindText, boot: 7, message: pubsub.Message{Topic: strings.Repeat("t", maxTopic), Event: strings.Repeat("e", maxEvent), Payload: make([]byte, 100_000)}},
		{kind: kindKeptText, boot: 1, serial: 5, epoch: 1, seq: 1, message: pubsub.Message{Topic: "t", Event: "e", Payload: []byte("{}"), Place: &pubsub.Place{}}},
		{kind: kindKeptText, boot: 1, serial: 5, epoch: 1, seq: 1, message: pubsub.Message{Topic: "t", Event: "e", Payload: []byte("{}"),
			Place: &pubsub.Place{Epoch: "e7k2m9x4", Offset: 87901, Prev: 87544, From: "18446744073709551615/17"}}},
		{kind: kindKeptBinary, boot: 1<<64 - 1, serial: 1<<64 - 1, epoch: 1<<64 - 1, seq: 1<<64 - 1, message: pubsub.Message{Payload: []byte{1, 2}, Binary: true,
			Place: &pubsub.Place{Epoch: strings.Repeat("e", maxEpoch), Offset: 1<<64 - 1, Prev: 1<<64 - 1, From: strings.Repeat("f", maxFrom)}}},
		{kind: kindHello, boot: 2, serial: 1, number: 2, started: 3, nodes: 4, before: 5, age: 6, about: 7, ask: 8, node: "a", server: "s"},
		{kind: kindBeat, boot: 2, node: strings.Repeat("n", MaxName), holds: true, server: ""},
		{kind: kindBye, boot: 2, node: "a"},
		{kind: kindAsk, boot: 2, node: "a", about: 3},
		{kind: kindSync, boot: 2, node: "a", about: 1<<64 - 1},
		{kind: kindSynced, boot: 2, node: "a@host:1.x_-", about: 4},
	}
}

func TestEnvelopeRoundTrip(t *testing.T) {
	for name, c := range testCodecs {
		for _, e := range testEnvelopes() {
			b := c.encode("ch", &e)
			if len(b) > c.size(&e) {
				t.Errorf("%s: kind %d takes %d bytes, and size says %d", name, e.kind, len(b), c.size(&e))
			}
			got, err := c.decode("ch", b)
			if err != nil || got.kind != e.kind || got.boot != e.boot || got.epoch != e.epoch || got.seq != e.seq ||
				got.node != e.node || got.server != e.server || got.about != e.about || got.ask != e.ask || got.holds != e.holds ||
				got.serial != e.serial || got.number != e.number || got.started != e.started || got.nodes != e.nodes ||
				got.before != e.before || got.age != e.age || got.message.Topic != e.message.Topic || got.message.Event != e.message.Event ||
				!bytes.Equal(got.message.Payload, e.message.Payload) || got.message.Binary != e.message.Binary || !reflect.DeepEqual(got.message.Place, e.message.Place) {
				t.Errorf("%s: kind %d came back as %+v, %v", name, e.kind, got, err)
			}
			if bootOf(b) != e.boot {
				t.Errorf("%s: boot %d", name, bootOf(b))
			}
		}
	}
}

// TestEnvelopeCut finds every envelope that was cut or changed when it is signed, and
// takes none that was cut into control when it is not.
func TestEnvelopeCut(t *testing.T) {
	signed := testCodecs["signed"]
	for _, e := range testEnvelopes() {
		b := signed.encode("ch", &e)
		for i := range min(len(b), 300) {
			if _, err := signed.decode("ch", b[:i]); err == nil {
				t.Fatalf("kind %d: %d of %d bytes are taken", e.kind, i, len(b))
			}
			changed := bytes.Clone(b)
			changed[i] ^= 1
			if _, err := signed.decode("ch", changed); err == nil {
				t.Fatalf("kind %d: a change of byte %d is not found", e.kind, i)
			}
		}
		if _, err := signed.decode("other", b); err == nil {
			t.Errorf("kind %d is taken on another channel", e.kind)
		}
		if _, err := newCodec([]byte("another secret of enough bytes")).decode("ch", b); err == nil {
			t.Errorf("kind %d is taken with another secret", e.kind)
		}
		open := testCodecs["open"].encode("ch", &e)
		if _, err := signed.decode("ch", open); err == nil {
			t.Errorf("kind %d is taken unsigned", e.kind)
		}
		if e.kind.isMessage() {
			continue
		}
		for i := range open {
			if _, err := testCodecs["open"].decode("ch", open[:i]); err == nil {
				t.Errorf("kind %d: %d of %d bytes are taken", e.kind, i, len(open))
			}
		}
	}
}

// TestEnvelopeGolden holds the bytes of messages: nodes of two versions of the module understand each
// other while a cluster is upgraded. Messages without a place are as before there were places.
func TestEnvelopeGolden(t *testing.T) {
	message := pubsub.Message{Topic: "room:1", Event: "said", Payload: []byte(`{"a":1}`)}
	kept := message
	kept.Place = &pubsub.Place{Epoch: "e7k2m9x4", Offset: 300, Prev: 299, From: "9/4"}
	for _, tt := range []struct {
		codec   string
		kind    kind
		message pubsub.Message
		want    string
	}{
		{"open", kindText, message, "626e020101020304050607080982010706726f6f6d3a3104736169647b2261223a317d"},
		{"open", kindBinary, message, "626e020201020304050607080982010706726f6f6d3a3104736169647b2261223a317d"},
		{"signed", kindText, message, "626e020101020304050607080982010706726f6f6d3a3104736169647b2261223a317d288a1471b83dc2eb39b69142f652a20b"},
		{"signed", kindBinary, message, "626e020201020304050607080982010706726f6f6d3a3104736169647b2261223a317d849eda3add814e73acdf2a15d4f96e65"},
		{"open", kindKeptText, kept, "626e02090102030405060708098201070865376b326d397834ac02ab0203392f3406726f6f6d3a3104736169647b2261223a317d"},
		{"open", kindKeptBinary, kept, "626e020a0102030405060708098201070865376b326d397834ac02ab0203392f3406726f6f6d3a3104736169647b2261223a317d"},
		{"signed", kindKeptText, kept, "626e02090102030405060708098201070865376b326d397834ac02ab0203392f3406726f6f6d3a3104736169647b2261223a317d807c08599ec7b37a6789e303135750b6"},
	} {
		e := envelope{kind: tt.kind, boot: 0x0102030405060708, serial: 9, epoch: 130, seq: 7, message: tt.message}
		if got := hex.EncodeToString(testCodecs[tt.codec].encode("bennu.t.room=3A1", &e)); got != tt.want {
			t.Errorf("%s, kind %d:\ngot  %s\nwant %s", tt.codec, tt.kind, got, tt.want)
		}
	}
}

// TestHostileLengths takes no memory for what a length only claims, and no field of a place that is
// longer than its bound.
func TestHostileLengths(t *testing.T) {
	c := testCodecs["open"]
	const header, numbers, topic, event = "\x00\x00\x00\x00\x00\x00\x00\x01", "\x01\x01\x01", "\x01t", "\x01e"
	const endless = "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
	for _, tt := range []struct {
		what, data string
		allocs     float64
	}{
		{"a topic of 2^63 bytes", "bn\x02\x01" + header + numbers + endless, 0},
		{"an epoch of 2^63 bytes", "bn\x02\x09" + header + numbers + endless, 1},
		{"a From of 2^63 bytes", "bn\x02\x09" + header + numbers + "\x00\x01\x01" + endless, 1},
		{"an epoch of nine bytes", "bn\x02\x09" + header + numbers + "\x09123456789\x01\x01\x00" + topic + event + "{}", 1},
		{"a From of 65 bytes", "bn\x02\x0a" + header + numbers + "\x00\x01\x01\x41" + strings.Repeat("f", 65) + topic + event, 1},
		{"a number of eleven bytes", "bn\x02\x09" + header + numbers + "\x00" + strings.Repeat("\xff", 10) + "\x01\x01\x00" + topic + event, 1},
		{"no place", "bn\x02\x09" + header + numbers, 1},
	} {
		data := []byte(tt.data)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := c.decode("ch", data); err == nil {
				t.Errorf("%s is taken", tt.what)
			}
		}); n > tt.allocs {
			t.Errorf("%s: %v allocations", tt.what, n)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	for _, c := range testCodecs {
		for _, e := range testEnvelopes() {
			f.Add(c.encode("ch", &e))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, c := range testCodecs {
			e, err := c.decode("ch", data)
			if err != nil {
				continue
			}
			again, err := c.decode("ch", c.encode("ch", &e))
			if err != nil || again.kind != e.kind || again.seq != e.seq || again.message.Topic != e.message.Topic || again.node != e.node || !reflect.DeepEqual(again.message.Place, e.message.Place) {
				t.Fatalf("%+v came back as %+v, %v", e, again, err)
			}
		}
	})
}

// TestChannelsAreInjective compares pairs of topics that look alike.
func TestChannelsAreInjective(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const alphabet = "ab=2Eh.*> \x00\xff{}"
	random := func() string {
		n := r.IntN(8)
		if r.IntN(50) == 0 {
			n = maxEscaped/3 - 2 + r.IntN(5)
		}
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	byChannel := map[string]string{}
	for range 200_000 {
		topic := random()
		c := TopicChannel("p", topic)
		if other, ok := byChannel[c]; ok && other != topic {
			t.Fatalf("%q and %q are both %q", topic, other, c)
		}
		byChannel[c] = topic
		if len(c) > len("p.t.")+maxEscaped+3 {
			t.Fatalf("a channel of %d bytes", len(c))
		}
		for _, b := range []byte(c) {
			if !plain(b) && b != '=' && b != '.' {
				t.Fatalf("byte %q in %q", b, c)
			}
		}
	}
	if TopicChannel("p", "x") == inboxChannel("p", "x") || TopicChannel("p", "") == "p.t." {
		t.Error("a topic and an inbox, or nothing, look alike")
	}
	long := strings.Repeat("x", 10_000)
	if TopicChannel("p", long) == TopicChannel("p", long+"y") || len(TopicChannel("p", long)) > 100 {
		t.Error("long topics")
	}
}

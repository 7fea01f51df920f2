package tracker

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// samples has a message of every kind, with all fields set.
func samples() []*message {
	a, b := replica{"a@host", 1_760_000_000_000_000_000}, replica{"b", 1}
	d := delta{
		replica: a, lo: 2, hi: 9, base: 3, asOf: 12, end: 300,
		removals: []removal{{4, 1}, {7, 5}, {12, 2}},
		values: []value{
			{clock: 3, owner: 7, topic: "room:1", data: "ada{}", keyLen: 3},
			{clock: 7, prev: 5, owner: 1 << 60, topic: "", data: "", keyLen: 0},
			{clock: 9, owner: 8, topic: "room:1", data: "bob", keyLen: 3},
		},
	}
	other := d
	other.replica = b
	return []*message{
		{kind: heartbeat, from: a, marks: []mark{{replica: b, clock: 5}, {replica: replica{"c", 2}}}, deltas: []delta{d}},
		{kind: heartbeat, from: b, deltas: []delta{{replica: b}}},
		{kind: request, from: a, to: b, marks: []mark{{b, 5, 5}, {replica{"c", 2}, 1, 700}}},
		{kind: answer, from: b, to: a, deltas: []delta{d, other}},
		{kind: answer, from: b, to: a},
		{kind: goodbye, from: a},
		{kind: refusal, from: a, to: b, newest: 77},
	}
}

func TestMessageRoundTrip(t *testing.T) {
	for _, m := range samples() {
		data := m.append([]byte("before"))
		again, err := decode(data[6:])
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%v reads back as %v, %v", m, again, err)
		}
		if again.from != m.from {
			t.Errorf("From of %v", m)
		}
		for n := range len(data) - 6 {
			if m, err := decode(data[6 : 6+n]); !errors.Is(err, errMalformed) {
				t.Fatalf("%v in %d bytes: %v", m, n, err)
			}
		}
	}
}

// The encoding changes only with the version.
func TestMessageGolden(t *testing.T) {
	m := samples()[0]
	const want = "01" + "01" + // version, heartbeat
		"06" + "6140686f7374" + "8080c0a5cdd5b1b618" + // from
		"02" + "0162" + "01" + "05" + "0163" + "02" + "00" + // marks
		"02" + "07" + "03" + "09" + "a002" + // lo, hi, asOf, base, end
		"03" + "0103" + "0302" + "050a" + // removals
		"03" + "01" + "00" + "07" + "00" + "06726f6f6d3a31" + "03" + "056164617b7d" +
		"04" + "02" + "808080808080808010" + "00" + "00" + "00" + "00" +
		"02" + "00" + "08" + "01" + "03" + "03626f62"
	if got := hex.EncodeToString(m.append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMessageString(t *testing.T) {
	for i, want := range map[int]string{
		0: `heartbeat from "a@host": 2 marks, 3 entries, 3 removals`,
		3: `answer from "b" to "a@host": 0 marks, 6 entries, 6 removals`,
	} {
		if got := samples()[i].String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := kind(9).String(); got != "kind(9)" {
		t.Error(got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	// A heartbeat of replica "a", 1, without marks, and the fields after it.
	beat := func(s string) []byte {
		b, err := hex.DecodeString("0101" + "016101" + "00" + strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const (
		huge = "ffffffffffffffffff01" // 2^64 - 1
		line = "02 07 03 09 00 "      // lo 2, hi 9, asOf 12, base 3
	)
	for name, data := range map[string][]byte{
		"nothing":                {},
		"another version":        {2, 4, 1, 'a', 1},
		"an unknown kind":        {1, 9, 1, 'a', 1},
		"kind 0":                 {1, 0, 1, 'a', 1},
		"no name":                {1, 4, 0, 1},
		"a long name":            append([]byte{1, 4, maxName + 1, 1}, make([]byte, 200)...),
		"no incarnation":         {1, 4, 1, 'a', 0},
		"more after it":          {1, 4, 1, 'a', 1, 0},
		"too large":              append(beat("00 00 00 00 00 00 00"), make([]byte, maxMessage)...),
		"many marks":             {1, 1, 1, 'a', 1, 200, 1, 1, 'b', 1, 1},
		"hi over the top":        beat("01" + huge + "00 00 00 00 00"),
		"asOf over the top":      beat("01 01" + huge + "00 00 00 00"),
		"base below zero":        beat("01 01 00 03 00 00 00"),
		"end over the top":       beat("01 01 00 00" + huge + "00 00"),
		"many removals":          beat(line + "7f 01 01 00"),
		"a removal twice":        beat(line + "02 01 01 00 01 00"),
		"a removal of itself":    beat(line + "01 01 00 00"),
		"a removal of nothing":   beat(line + "01 01 04 00"),
		"a removal of less":      beat(line + "01 01 05 00"),
		"a removal after asOf":   beat(line + "01 0a 01 00"),
		"many entries":           beat(line + "00 7f 01 00 07 00 00 00 00"),
		"an entry twice":         beat(line + "00 02 01 00 07 00 00 00 00 00 00 07 01 00 00"),
		"an entry after hi":      beat(line + "00 01 08 00 07 00 00 00 00"),
		"a topic that is not":    beat(line + "00 01 01 00 07 01 00 00 00"),
		"a long topic":           beat(line + "00 01 01 00 07 00 ff7f 00 00 00 00 00"),
		"a long key":             beat(line + "00 01 01 00 07 00 00 ff7f 00 00"),
		"a key over the data":    beat(line + "00 01 01 00 07 00 00 02 01 61"),
		"a meta over the rest":   beat(line + "00 01 01 00 07 00 00 01 05 61"),
		"a very long meta":       append(beat(line+"00 01 01 00 07 00 00 01 828004"), make([]byte, MaxMeta+2)...),
		"a number without end":   beat("ff ff ff ff ff ff ff ff ff ff ff"),
		"deltas out of order":    (&message{kind: answer, from: replica{"a", 1}, to: replica{"b", 1}, deltas: []delta{{replica: replica{"d", 1}}, {replica: replica{"c", 1}}}}).append(nil),
		"a replica's two starts": (&message{kind: answer, from: replica{"a", 1}, to: replica{"b", 1}, deltas: []delta{{replica: replica{"c", 1}}, {replica: replica{"c", 2}}}}).append(nil),
	} {
		if m, err := decode(data); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	if _, err := decode(beat(line + "01 01 01 01 01 00 07 00 00 00 00")); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

// A message that claims more elements than it has costs little.
func TestDecodeTakesNoMemory(t *testing.T) {
	data := []byte{1, 1, 1, 'a', 1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0x3f}
	if n := testing.AllocsPerRun(100, func() { _, _ = decode(data) }); n > 20 {
		t.Errorf("%v allocations", n)
	}
}

package natshistory

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
)

// A record is a message of the stream. Its data is one line of JSON, the meta, and then the payload.
//
// Each record says what is before it, so that a reader needs no other: Prev is the offset of the entry
// before, Count the number of entries of the epoch up to this one, and Sum the bytes of their payloads.
// They are exact, since the server takes a record only behind the one that its publisher has named.
type record struct {
	meta
	payload  []byte
	id       string
	subject  string
	sequence uint64
	time     time.Time
	sound    bool // the message is one of this package
}

// meta is what the first line of a message has.
type meta struct {
	Epoch  string `json:"epoch"`
	Prev   uint64 `json:"prev,omitempty"`
	Count  uint64 `json:"count,omitempty"` // 0 in the record with which Rotate begins an epoch, which is no entry
	Sum    uint64 `json:"sum,omitempty"`
	Age    int64  `json:"age,omitempty"` // of Keep, in seconds, for the janitor
	Event  string `json:"event,omitempty"`
	Binary bool   `json:"binary,omitempty"`
	From   string `json:"from,omitempty"`
	Boot   string `json:"boot,omitempty"`
	Number uint64 `json:"number,omitempty"`
	ID     string `json:"id,omitempty"` // of the entry, if the message has another one
}

// none reports whether r is no record of a log.
func (r *record) none() bool { return r == nil || !r.sound }

// at returns the sequence, or 0 for nil.
func (r *record) at() uint64 {
	if r == nil {
		return 0
	}
	return r.sequence
}

// offset returns the offset of an entry, or 0 for the beginning of an epoch and for none.
func (r *record) offset() uint64 {
	if r.none() || r.Count == 0 {
		return 0
	}
	return r.placed()
}

// placed is the offset that the message has as an entry.
func (r *record) placed() uint64 { return offset(r.sequence, r.id) }

// head returns the head of a log whose newest record is r.
func (r *record) head() history.Head {
	if r.none() {
		return history.Head{}
	}
	return history.Head{Epoch: r.Epoch, Offset: r.offset()}
}

// place returns the place of the entry.
func (r *record) place() history.Place {
	return history.Place{Epoch: r.Epoch, Offset: r.offset(), Prev: r.Prev}
}

// entry returns the record as package history has it.
func (r *record) entry() history.Entry {
	return history.Entry{
		Event: r.Event, Payload: r.payload, Binary: r.Binary, From: r.From, Boot: r.Boot, Number: r.Number,
		Place: r.place(), Time: r.time,
	}
}

// is reports whether r is the entry with an id. A message that was published under another id has the first one
// in its meta; see wait.
func (r *record) is(id string) bool {
	return !r.none() && r.Count > 0 && (r.id == id || r.ID == id)
}

// before returns the bytes of payloads of the epoch before this entry. The difference of two of them is
// the size of what is in between, whatever was trimmed away.
func (r *record) before() uint64 { return r.Sum - uint64(len(r.payload)) }

// newRecord returns the record of an entry behind last, which may be none: then it begins an epoch. What it
// says of last is true if the server takes it, since it takes it behind last alone.
func newRecord(last *record, subject, id string, e *history.Entry, age time.Duration) *record {
	r := &record{subject: subject, id: id, payload: e.Payload, sound: true}
	r.meta = meta{
		Count: 1, Sum: uint64(len(e.Payload)), Age: int64(age / time.Second),
		Event: e.Event, Binary: e.Binary, From: e.From, Boot: e.Boot, Number: e.Number,
	}
	if last.none() {
		r.Epoch = follow.NewEpoch()
	} else {
		r.Epoch, r.Prev = last.Epoch, last.offset()
		r.Count += last.Count
		r.Sum += last.Sum
	}
	return r
}

// message returns the message to publish, to be taken only if the newest one of its subject has the
// given sequence, or there is none for 0.
func (r *record) message(expected uint64) *nats.Msg {
	line, _ := json.Marshal(&r.meta) // has no types that fail
	m := nats.NewMsg(r.subject)
	m.Header[nats.MsgIdHdr] = []string{r.id}
	expect(m, expected)
	m.Data = append(append(line, '\n'), r.payload...)
	return m
}

// decode reads a message. Others may publish to the stream, so a message that is none of this package is
// a record that is not sound: it is no entry, and what follows it begins an epoch.
func decode(subject string, sequence uint64, at time.Time, header nats.Header, data []byte) *record {
	r := &record{subject: subject, sequence: sequence, time: at, id: header.Get(nats.MsgIdHdr)}
	line, payload, ok := bytes.Cut(data, []byte{'\n'})
	if !ok || r.id == "" || json.Unmarshal(line, &r.meta) != nil {
		return r
	}
	r.payload = payload
	r.sound = follow.ValidEpoch(r.Epoch) && r.possible()
	return r
}

// possible reports whether the numbers of a record can be: there are not more entries than messages of the stream,
// and the sum has room for all that may follow.
func (r *record) possible() bool {
	if r.Count == 0 {
		return r.Sum == 0 && r.Prev == 0
	}
	return r.Count <= r.sequence && r.Sum >= uint64(len(r.payload)) && r.Sum < mostSum && r.Prev < r.placed()
}

// mostSum is above the bytes of all payloads of an epoch.
const mostSum = 1 << 62

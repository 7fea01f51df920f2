package redishistory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redisconn"
)

// mostStep bounds the difference of two offsets. Offsets are not consecutive, so that those of entries that
// a failover has lost are hardly given to other entries: one of about 500 is, and then the next entry shows the
// difference. It fits into 2 bytes of a description. 2^53 offsets are enough for 10^13 entries of a topic.
const mostStep = 1023

// maxName bounds Boot and From of an entry, whose lengths have one byte in its description.
const maxName = 255

// maxEvent bounds Event of an entry. Those of package bennu have at most 255 bytes.
const maxEvent = 1024

// leastLife is the least time for which a log is kept that nobody uses. Clients that come back later are
// told that they have lost their place, even if no message was sent meanwhile.
const leastLife = 24 * time.Hour

// errStrange is the error of an answer that is none of the script.
var errStrange = errors.New("the answer of Redis is not that of the script; do other programs use the prefix?")

// Append implements history.Store.
func (s *store) Append(ctx context.Context, topic string, e *history.Entry, o *history.AppendOptions) (history.Place, error) {
	if len(e.Payload) > redisconn.MaxPayload {
		return history.Place{}, fmt.Errorf("%w: %d bytes, and Redis keeps up to %d", history.ErrTooLarge, len(e.Payload), redisconn.MaxPayload)
	}
	if len(e.Boot) > maxName || len(e.From) > maxName {
		return history.Place{}, fmt.Errorf("%w: Boot and From have at most %d bytes", history.ErrTooLarge, maxName)
	}
	if len(e.Event) > maxEvent || e.Number >= maxOffset {
		return history.Place{}, fmt.Errorf("%w: Event has at most %d bytes, and Number is below 2^53", history.ErrTooLarge, maxEvent)
	}
	k := s.keys(topic)
	c := &call{script: appendScript, slot: k.slot(), keys: []string{k.meta(), k.stream()}, args: appendArgs(e, o)}
	if o.Key != "" {
		c.keys = append(c.keys, k.key(o.Key))
	}
	if err := s.router.do(ctx, c); err != nil {
		return history.Place{}, err
	}
	p, note, err := placeOf(c.reply)
	s.say(topic, note)
	return p, err
}

// foreign is the note of a script that has found data of others in a log.
const foreign = "foreign"

// say counts and logs what a script has noted of a topic. What others have written is not quoted: it may be
// anything.
func (s *store) say(topic, note string) {
	switch note {
	case "":
	case foreign:
		s.book.Say(notice.HistoryForeign, notice.Foreign("topic", topic))
	default:
		s.book.Say(notice.HistoryCleaning, notice.Foreign("topic", topic), slog.String("error", redisconn.Short(note)))
	}
}

// appendArgs returns the arguments of append.lua. The step and the new epoch come from here, since the random
// numbers of a script begin alike in each run. Numbers are sent as text; the script has float64 for them.
func appendArgs(e *history.Entry, o *history.AppendOptions) []any {
	after := ""
	if o.After != nil {
		after = o.After.Epoch + " " + strconv.FormatUint(o.After.Offset, 10)
	}
	binary := 0
	if e.Binary {
		binary = 1
	}
	return []any{
		e.Boot, e.Number, e.Event, e.Payload, binary, e.From,
		o.Keep.Size, o.Keep.Bytes, ageOf(&o.Keep), max(10*o.Keep.Age, leastLife).Milliseconds(),
		1 + rand.Uint64N(mostStep), follow.NewEpoch(), after, int(history.KeyTime.Seconds()),
	}
}

// ageOf returns an age in milliseconds, in which Redis has the times of entries.
func ageOf(k *history.Keep) int64 { return k.Age.Milliseconds() }

// placeOf reads the answer of append.lua, which may have a note. An answer that is none of the script is ErrUnknown: the script
// has run, and what it has done is not known.
func placeOf(reply []any) (p history.Place, note string, err error) {
	words := make([]string, len(reply))
	for i, w := range reply {
		words[i], _ = w.(string)
	}
	if len(words) == 0 {
		return p, "", unknown(errStrange)
	}
	switch kind := words[0]; {
	case kind == "unknown":
		return p, "", unknown(errors.New("the number was used before, and its entry is not among the newest 100 any more"))
	case kind == "conflict" && len(words) == 3:
		head, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			break
		}
		return p, "", &history.Conflict{Head: history.OffsetOf(history.Place{Epoch: words[1], Offset: head})}
	case kind == "ok" && len(words) == 5, kind == "doubled" && len(words) == 4:
		offset, err1 := strconv.ParseUint(words[2], 10, 64)
		prev, err2 := strconv.ParseUint(words[3], 10, 64)
		if err1 != nil || err2 != nil {
			break
		}
		if kind == "ok" {
			note = words[4]
		}
		return history.Place{Epoch: words[1], Offset: offset, Prev: prev, Doubled: kind == "doubled"}, note, nil
	}
	return p, "", unknown(errStrange)
}

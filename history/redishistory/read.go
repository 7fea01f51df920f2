package redishistory

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bennu-go/bennu/history"
)

// maxOffset is above all offsets. Redis scripts count with float64, which has integers up to there.
const maxOffset = 1 << 53

// mostEntries bounds the entries of a piece, for which all others of the server wait.
const mostEntries = 1_000

// Read implements history.Store. A piece has at most 1,000 entries.
func (s *store) Read(ctx context.Context, topic string, after uint64, o *history.ReadOptions) (history.Piece, error) {
	k := s.keys(topic)
	c := &call{script: readScript, slot: k.slot(), reads: true, keys: []string{k.meta(), k.stream()}, args: readArgs(after, o)}
	if err := s.router.do(ctx, c); err != nil {
		return history.Piece{}, err
	}
	p, theirs, ok := pieceOf(c.reply)
	if !ok {
		return history.Piece{}, unavailable(errStrange)
	}
	if theirs {
		s.say(topic, foreign)
	}
	if o.Newest {
		newestOf(&p)
	} else {
		following(&p, after)
	}
	return p, nil
}

// following leaves the entries of a piece that form a chain behind an offset. Somebody may have removed others: then
// a place before a gap is not known, and who is there is told that something is lost.
func following(p *history.Piece, after uint64) {
	last := after
	for i := range p.Entries {
		if p.Entries[i].Prev != last {
			p.Entries = p.Entries[:i]
			break
		}
		last = p.Entries[i].Offset
	}
	p.Known = p.Known && (len(p.Entries) > 0 || after == p.Head.Offset)
	p.More = p.Known && last != p.Head.Offset
}

// newestOf puts the newest entries of a piece, of which the newest comes first, in order. Those before a gap are
// left out.
func newestOf(p *history.Piece) {
	for i := 1; i < len(p.Entries); i++ {
		if p.Entries[i].Offset != p.Entries[i-1].Prev {
			p.Entries = p.Entries[:i]
		}
	}
	slices.Reverse(p.Entries)
}

// readArgs returns the arguments of read.lua. Places that scripts cannot count with are above all offsets.
func readArgs(after uint64, o *history.ReadOptions) []any {
	newest, place := 0, after
	if o.Newest {
		newest, place = 1, o.Before
	}
	return []any{newest, min(place, maxOffset), min(o.Entries, mostEntries), o.Bytes, o.Keep.Size, o.Keep.Bytes, ageOf(&o.Keep)}
}

// pieceOf reads the answer of read.lua, with the entries in the order in which they come. Others may have
// written to the stream: theirs says so, and what is theirs is left out.
func pieceOf(reply []any) (p history.Piece, theirs, ok bool) {
	const header, each = 6, 3
	if len(reply) < header || (len(reply)-header)%each != 0 {
		return p, false, false
	}
	p.Head.Epoch, _ = reply[0].(string)
	p.Head.Offset, ok = numberOf(reply[1])
	if !ok {
		return p, false, false
	}
	if p.Oldest, ok = numberOf(reply[2]); !ok {
		return p, false, false
	}
	p.Known, p.More = reply[3] == int64(1), reply[4] == int64(1)
	theirs = reply[5] == int64(1)
	p.Entries = make([]history.Entry, 0, (len(reply)-header)/each)
	for i := header; i < len(reply); i += each {
		e, ok := entryOf(reply[i], reply[i+1], reply[i+2])
		if !ok || e.Offset > p.Head.Offset {
			theirs = true
			continue
		}
		e.Epoch = p.Head.Epoch
		p.Entries = append(p.Entries, e)
	}
	return p, theirs, true
}

// numberOf reads a number that a script has sent as a text.
func numberOf(v any) (uint64, bool) {
	text, _ := v.(string)
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

// entryOf reads an entry of a stream: its id, such as "88120-0", its description, which append.lua has
// written, and its payload.
func entryOf(id, description, payload any) (e history.Entry, ok bool) {
	text, _ := id.(string)
	if e.Offset, ok = numberOf(strings.TrimSuffix(text, "-0")); !ok {
		return e, false
	}
	rest, _ := description.(string)
	short := false
	take := func(n int) string {
		if short = short || n > len(rest); short {
			return ""
		}
		part := rest[:n]
		rest = rest[n:]
		return part
	}
	number := func(bytes int) (n uint64) {
		for _, b := range []byte(take(bytes)) {
			n = n<<8 | uint64(b)
		}
		return n
	}
	e.Prev = e.Offset - number(2)
	number(5 + 6)                                                 // for the scripts alone
	e.Time = time.UnixMilli(int64(number(6)))                     //nolint:gosec // of 48 bits
	kind, boot, from := number(1), int(number(1)), int(number(1)) //nolint:gosec // of 8 bits
	e.Binary, e.Number = kind&1 != 0, number(int(kind>>1))        //nolint:gosec // as above
	e.Boot, e.From, e.Event = take(boot), take(from), rest
	body, isText := payload.(string)
	e.Payload = []byte(body)
	return e, isText && !short && kind>>1 <= 8 && e.Prev < e.Offset
}

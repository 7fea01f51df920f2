package bennu

import (
	"bytes"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Events of the library that a channel which follows its topic sends.
const (
	eventResume = "bennu:resume" // from where the channel goes on
	eventOffset = "bennu:offset" // a position without a message
)

// entryMemo has the frames of one entry, which all its subscribers and readers share.
type entryMemo struct {
	refused error                          // as that of memo; only the goroutine that delivers the entry uses it
	list    atomic.Pointer[[]*entryFrames] // replaced, never changed
	mu      sync.Mutex                     // held by who replaces it
}

// readOnce is the memo of an entry for which one reader has made frames that are not kept.
var readOnce = new(entryMemo)

// entryMemoOf returns the memo of an entry, and makes it if there is none.
func entryMemoOf(e *follow.Entry) *entryMemo {
	for memo := e.Memo(); ; {
		known := memo.Load()
		if known != nil && known != readOnce {
			return known.(*entryMemo)
		}
		memo.CompareAndSwap(known, new(entryMemo))
	}
}

// entryFrames are the frames of an entry for one serializer and form. For clients that get none,
// both are empty.
type entryFrames struct {
	serializer wire.Serializer
	frame      transport.Frame
	before     *transport.Frame // announces the position of a binary frame; or nil
	unread     *transport.Frame // binary, for a connection that carries text and so drops and counts it; or nil
	form       OffsetForm
	skipped    bool // the client does not get the entry, and is told the position alone
	ok         bool // the serializer could encode it
}

// framesOf returns the frames of an entry for the client. A client that cannot read the message is
// told the position alone. live says that others need the same frames now; those that one reader alone
// has needed are not kept.
func (c *Channel) framesOf(e *follow.Entry, form OffsetForm, skipped, live bool) *entryFrames {
	f := c.sharedFrames(e, form, skipped, live)
	if form != NoOffsets && c.socket.cannotRead(f.frame) {
		told := *c.sharedFrames(e, form, true, live)
		told.unread = &f.frame
		return &told
	}
	return f
}

// sharedFrames returns the frames of an entry for all clients with the same serializer. If it cannot
// encode the message, which is counted and logged once, they are told the position alone.
func (c *Channel) sharedFrames(e *follow.Entry, form OffsetForm, skipped, live bool) *entryFrames {
	s := c.socket
	alone := !live && e.Memo().CompareAndSwap(nil, readOnce)
	if !alone {
		if f := entryMemoOf(e).find(s.serializer, form, skipped); f != nil {
			return f
		}
	}
	f := &entryFrames{serializer: s.serializer, form: form, skipped: skipped}
	if err := f.encode(e); err != nil {
		s.node.book.Say(notice.Serializer, notice.Foreign("topic", e.Topic), notice.Foreign("event", e.Event), slog.String("error", textOf(err)))
		f.before, f.frame = nil, transport.Frame{}
		if !skipped && form != NoOffsets {
			f.frame = c.sharedFrames(e, form, true, live).frame
		}
	} else {
		f.ok = true
	}
	if !alone || !f.ok {
		entryMemoOf(e).add(f)
	}
	return f
}

// find returns the frames for a serializer and a form, or nil.
func (m *entryMemo) find(s wire.Serializer, form OffsetForm, skipped bool) *entryFrames {
	list := m.list.Load()
	if list == nil {
		return nil
	}
	for _, f := range *list {
		if f.serializer == s && f.form == form && f.skipped == skipped {
			return f
		}
	}
	return nil
}

// add keeps frames for others. Several goroutines may have made the same ones.
func (m *entryMemo) add(f *entryFrames) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []*entryFrames
	if old := m.list.Load(); old != nil {
		list = *old
	}
	list = append(slices.Clip(list), f)
	m.list.Store(&list)
}

// encode makes the frames. A serializer may be the program's; if it panics, that is an error, since readers
// call it in goroutines of the library.
func (f *entryFrames) encode(e *follow.Entry) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	b := wire.Broadcast{Topic: e.Topic, Event: e.Event, Payload: Payload{Data: e.Payload, Binary: e.Binary}}
	at := e.Position()
	if f.skipped {
		b.Event, b.Payload = eventOffset, emptyPayload
	}
	switch {
	case f.form == NoOffsets && f.skipped:
		return nil
	case f.form == NoOffsets:
	case b.Payload.Binary:
		next := wire.Broadcast{Topic: e.Topic, Event: eventOffset, Payload: announcement(at)}
		before, err := broadcastFrame(f.serializer, &next)
		if err != nil {
			return err
		}
		f.before = &before
	case f.form == InRef:
		b.Ref = refOf(at)
	default:
		b.Payload.Data = withOffset(b.Payload.Data, at)
	}
	f.frame, err = broadcastFrame(f.serializer, &b)
	return err
}

// announcement returns the payload of the message before a binary one, which has the position of that.
func announcement(at follow.Position) Payload {
	return Payload{Data: append(refOf(at).Append([]byte(`{"next":`)), '}')}
}

// withOffset returns a JSON object with a position as its first member.
func withOffset(object []byte, at follow.Position) []byte {
	rest := []byte("}")
	if len(object) > 0 {
		rest = bytes.TrimLeft(object[1:], " \t\r\n")
	}
	ref := refOf(at).Append(nil)
	dst := make([]byte, 0, len(object)+len(ref)+16)
	dst = append(append(dst, `{"_offset":`...), ref...)
	if rest[0] != '}' {
		dst = append(dst, ',')
	}
	return append(dst, rest...)
}

// size returns what the frames take in the queue of a client.
func (f *entryFrames) size() (messages, bytes int) {
	messages, bytes = 1, len(f.frame.Bytes())
	if f.before != nil {
		messages, bytes = 2, bytes+len(f.before.Bytes())
	}
	return messages, bytes
}

// isTooLarge reports whether a client could get the frames of an entry only if hardly anything else
// waited for it.
func (s *Socket) isTooLarge(f *entryFrames) bool {
	_, bytes := f.size()
	n := int64(bytes)
	return n > s.node.leastOutbound.Load()/4*3 && n > int64(s.outbound().bytes/4*3)
}

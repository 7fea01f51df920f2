package bennu

import (
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Broadcasts have no join_ref, so a client takes those of its previous join that are still under way,
// and would get them twice if it joined again with the offset that it had before. So a connection
// notes the last position of each channel that has ended. A join with an older one is answered with
// phx_error. When the client reads that, it has read all that was under way, and it joins again with
// the position that it really has. A join after that is not answered so again, for clients that do not
// take broadcasts while they join. But if the client has left the topic meanwhile, or has a newer
// position, it may have joined before it read the phx_error, and takes what is under way.

// fencing is false in the test that shows what the fence is for.
var fencing = true

// resumePlease is the payload of phx_error for a join that must come again.
var resumePlease = []byte(`{"reason":"resume"}`)

// keep looks whether the topic of the join has a history, and what the client asks of it. It reports
// true if it has answered the join, because of the fence.
func (j *joinCall) keep() (answered bool) {
	log := j.s.node.keeping
	t := log.Topic(j.m.Topic)
	if t == nil {
		return false
	}
	j.kept = new(keptState)
	if t.NoResume {
		return false
	}
	s := sinceOf(j.m.Payload, log.SinceParam())
	if s.kind != sinceNone {
		j.kept.more = &keptMore{since: s, rewind: -1}
		if j.old != nil && j.old.tableRef() == j.m.JoinRef {
			// A browser has repeated the post of a join whose answer it did not get. Clients would
			// take the phx_close for one of the new channel.
			j.closing = transport.Frame{}
		}
	}
	if !j.s.mustReadOn(j.m.Topic, &s) {
		return false
	}
	f, err := pushFrame(j.s.serializer, &wire.Push{
		JoinRef: j.m.JoinRef, Ref: j.m.JoinRef, Topic: j.m.Topic, Event: protocol.EventError, Payload: Payload{Data: resumePlease},
	})
	if err != nil {
		return false // Join can still be called
	}
	j.at().say(notice.Fenced)
	j.send(f)
	return true
}

// endNote is what a connection remembers of a channel that has ended.
type endNote struct {
	last   follow.Position
	fenced bool   // a join was answered with phx_error, and the client has not left since then
	asked  uint64 // the offset in that join
}

// mustReadOn reports whether broadcasts of the channel that has ended on a topic may be under way, which
// the client will take after it has sent its join.
func (s *Socket) mustReadOn(topic string, asked *since) bool {
	r := s.history.Load()
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.notes[topic]
	if !ok {
		return false
	}
	if n.fenced && asked.at.Offset == n.asked || !fencing || asked.kind != sinceAt || asked.at.Epoch != n.last.Epoch || asked.at.Offset >= n.last.Offset {
		delete(r.notes, topic)
		return false
	}
	n.fenced, n.asked = true, asked.at.Offset
	r.notes[topic] = n
	return true
}

// hasLeft notes that the client leaves a topic that it has not joined.
func (s *Socket) hasLeft(topic string) {
	r := s.history.Load()
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, ok := r.notes[topic]; ok {
		n.fenced = false
		r.notes[topic] = n
	}
}

// note keeps the last position of a channel that ends. There are at most as many notes as topics that
// the connection may join; beyond that some other is dropped.
func (r *replays) note(topic string, p follow.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.notes == nil {
		r.notes = make(map[string]endNote)
	}
	if len(r.notes) >= r.socket.handler.limits.Topics {
		for other := range r.notes {
			delete(r.notes, other)
			break
		}
	}
	r.notes[topic] = endNote{last: p}
}

// forgetHistoryLocked ends what the channel has to do with the history of its topic. The channel is
// about to become closed.
func (c *Channel) forgetHistoryLocked() {
	k, x := c.kept, c.extra()
	if x.finding != nil {
		x.finding()
		x.finding = nil
	}
	if k.sub != nil {
		x.others = append(x.others, k.sub)
	}
	if !k.isFollower() || c.state == joining {
		return
	}
	c.setBehindLocked(false)
	last := k.last
	if k.mode == byExecutor {
		last = k.more.cursor.told
		k.more.cursor.stop()
	}
	if k.form != NoOffsets && last.Epoch != "" {
		c.socket.replays().note(c.topic, last)
	}
}

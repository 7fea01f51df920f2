package bennu

import (
	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

// Broadcasts have no join_ref, so a client takes those of its previous join that are still under way,
// and would get them twice if it joined again with the offset that it had before. So a connection
// notes the last position of each channel that has ended. A join with an older one is answered with
// phx_error, once. When the client reads that, it has read all that was under way, and it joins again
// with the position that it really has.

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
	}
	last, noted := j.s.takeNote(j.m.Topic)
	if !noted || !fencing || s.kind != sinceAt || s.at.Epoch != last.Epoch || s.at.Offset >= last.Offset {
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

// takeNote returns and forgets the last position of the channel that has ended on a topic.
func (s *Socket) takeNote(topic string) (follow.Position, bool) {
	r := s.history.Load()
	if r == nil {
		return follow.Position{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.notes[topic]
	delete(r.notes, topic)
	return p, ok
}

// note keeps the last position of a channel that ends. There are at most as many notes as topics that
// the connection may join; beyond that some other is dropped.
func (r *replays) note(topic string, p follow.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.notes == nil {
		r.notes = make(map[string]follow.Position)
	}
	if len(r.notes) >= r.socket.handler.limits.Topics {
		for other := range r.notes {
			delete(r.notes, other)
			break
		}
	}
	r.notes[topic] = p
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

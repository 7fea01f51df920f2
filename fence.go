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
// the position that it really has.
//
// Clients that do not take broadcasts while they join come back with the same position, which is then
// accepted. But a join that the client has sent before it read the phx_error is answered so again.
// Such a join has another position, or the client has left the topic before it, or it had arrived
// before the phx_error was sent. Stock clients send no other: they leave a topic before they join it
// once more without having an answer.
//
// A join from before a loss is not answered so. The bennu:resume that told of the loss may have come
// for the join before this one, so that the client drops it. It is told again.

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
	if s.kind != sinceAt || !fencing || !j.mustReadOn(s.at) {
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

// endNote is the note that a connection keeps of a channel that has ended. It keeps the note until a join
// continues from last, or answers a phx_error. A join that is refused, or that has no position, leaves the
// note: messages may still be under way.
type endNote struct {
	last   follow.Position
	lost   follow.Position // where the channel began, if it was told then that it had lost messages
	number uint32          // rises with each note
	fenced bool            // a join was answered with phx_error, and the client has not left since then
	ref    wire.Ref        // of that join
	asked  follow.Position // in it
	turn   *turn           // in which it was
	behind int             // the frames of the turn that had arrived by then
}

// mustReadOn reports whether broadcasts of the channel that has ended on the topic may be under way,
// which the client will take after it has sent this join. The caller has the turn of the connection.
func (j *joinCall) mustReadOn(asked follow.Position) bool {
	r := j.s.history.Load()
	if r == nil {
		return false
	}
	j.s.mu.Lock()
	t, taken, behind := j.s.turn, j.s.turn.taken, j.s.turn.taken+len(j.s.turn.inbox.frames)
	j.s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.notes[j.m.Topic]
	switch {
	case !ok, asked.Epoch != n.last.Epoch, asked.Epoch == n.lost.Epoch && asked.Offset < n.lost.Offset:
		return false
	case asked.Offset >= n.last.Offset, n.isAnswer(j.m.Ref, asked, t, taken):
		delete(r.notes, j.m.Topic)
		return false
	}
	n.fenced, n.ref, n.asked, n.turn, n.behind = true, j.m.Ref, asked, t, behind
	r.notes[j.m.Topic] = n
	return true
}

// isAnswer reports whether a join with a ref and a position is the answer of the client to the
// phx_error. It is a frame of a turn, from which so many had been taken.
func (n *endNote) isAnswer(ref wire.Ref, asked follow.Position, t *turn, taken int) bool {
	return n.fenced && asked == n.asked && (t != n.turn || taken > n.behind) &&
		(ref != n.ref || ref.IsNull()) // a browser may send a post twice
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
		n.fenced, n.turn = false, nil
		r.notes[topic] = n
	}
}

// note keeps the last position of a channel that ends.
func (r *replays) note(topic string, p follow.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.putLocked(topic, endNote{last: p, lost: r.notes[topic].lost})
}

// noteBeginning notes where a channel begins whose client has lost messages, or, with the zero
// Position, that it has not.
func (r *replays) noteBeginning(topic string, lost follow.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.notes[topic]
	if n.lost = lost; ok || lost.Epoch != "" {
		r.putLocked(topic, n)
	}
}

// putLocked puts a note. There are at most as many as topics that the connection may join; beyond that
// the oldest is dropped, whose messages have most likely been read.
func (r *replays) putLocked(topic string, n endNote) {
	if r.notes == nil {
		r.notes = make(map[string]endNote)
	}
	if _, ok := r.notes[topic]; !ok && len(r.notes) >= r.socket.handler.limits.Topics {
		oldest, age := "", uint32(0)
		for other, n := range r.notes {
			if a := r.noted - n.number; a >= age { // noted may have begun anew
				oldest, age = other, a
			}
		}
		delete(r.notes, oldest)
	}
	r.noted++
	n.number = r.noted
	r.notes[topic] = n
}

// hasNote reports whether messages of an earlier channel of the topic may be under way.
func (s *Socket) hasNote(topic string) bool {
	r := s.history.Load()
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.notes[topic]
	return ok
}

// noteBeginning notes where a channel has begun, for the joins after it.
func (c *Channel) noteBeginning(from follow.Position) {
	switch r := c.socket.history.Load(); {
	case c.kept.resumed == Lost:
		c.socket.replays().noteBeginning(c.topic, from)
	case r != nil:
		r.noteBeginning(c.topic, follow.Position{})
	}
}

// forgetHistoryLocked ends what the channel has to do with the history of its topic. The channel is
// about to become closed.
func (c *Channel) forgetHistoryLocked() {
	k, x := c.kept, c.extra()
	if x.finding != nil {
		x.finding()
		x.finding = nil
	}
	if !k.isFollower() || c.state == joining {
		return
	}
	c.setBehindLocked(false)
	last := k.last
	if k.mode == byExecutor {
		last = k.more.cursor.told
		k.more.cursor.stop()
		if r := c.socket.history.Load(); r != nil {
			r.waitNoMore(c)
		}
	}
	if k.form != NoOffsets && last.Epoch != "" {
		c.socket.replays().note(c.topic, last)
	}
}

package client

import (
	"encoding/json"

	"github.com/bennu-go/bennu/internal/clientwire"
	"github.com/bennu-go/bennu/internal/protocol"
)

// Resumed is what a server says about the messages that a channel may have missed.
type Resumed struct {
	Status ResumeStatus
	// Reason says why messages are lost: "expired" if the client was away for longer than the
	// server keeps them, "too_many", "too_large", "epoch", "unknown" or "invalid". It is empty otherwise.
	Reason string
	// Count is the number of missed messages that have come before ResumeLive.
	Count int
	// Position is the place in the history of the topic from which the channel goes on. Later ones are
	// in Message.Ref.
	Position string
}

// ResumeStatus is the status of a Resumed.
type ResumeStatus string

// The statuses. After a join comes one of the first three, before any message that has a position.
const (
	// ResumeNew: the client had no position. Messages that were sent before may be missing.
	ResumeNew ResumeStatus = "new"
	// ResumeRecovered: all missed messages follow. If there are any, ResumeLive comes after them.
	ResumeRecovered ResumeStatus = "recovered"
	// ResumeLost: messages are missing that do not come any more. The channel goes on from
	// Position. This may also come later, if the server itself has lost messages.
	ResumeLost ResumeStatus = "lost"
	// ResumeLive: the missed messages have come.
	ResumeLive ResumeStatus = "live"
)

// resume is what a channel that resumes knows of its place in the history of its topic. The socket's
// lock guards it.
//
// The place moves when a message is queued for the callbacks, so messages that are dropped because
// the channel is down, or because the callbacks are slow, are still asked for. While a join waits for
// its answer, messages with a position are of an earlier join: they are dropped, and come again.
type resume struct {
	told   func(Resumed) // may be nil
	at     position      // zero if none is known
	next   position      // of the binary message that follows
	fenced bool          // the server has asked for another join
}

// Resume makes the channel get the messages that it missed while it was not joined, if the server keeps
// a history of the topic: bennu does so for some topics, Phoenix for none. Each join then has the
// position of the last message as the member "since" of its params, which must be a JSON object or nil;
// Options.SinceParam is for a server that has another name for it.
// Before the first message it is null. If the params have a member "since", the first join has that:
// for example the Message.Ref of the last message that an earlier run of the program has handled. No
// message comes twice.
//
// f is called when the server says how the channel goes on, in order with the other callbacks. It may
// be nil. It is not called if there is no history of the topic. Events named bennu:resume and
// bennu:offset are not given to other callbacks.
//
// Call Resume before [Channel.Join]. It panics after that.
func (ch *Channel) Resume(f func(Resumed)) {
	ch.socket.mu.Lock()
	defer ch.socket.mu.Unlock()
	if ch.asked {
		panic("client: call Channel.Resume before Join")
	}
	ch.resume = &resume{told: f}
}

// Position returns the position of the last message that the channel has given to its callbacks, or has
// queued for them, or "" if none is known. Another channel may go on from it, as the member "since" of
// its params.
func (ch *Channel) Position() string {
	ch.socket.mu.Lock()
	defer ch.socket.mu.Unlock()
	if ch.resume == nil {
		return ""
	}
	return ch.resume.at.text
}

// placeOf returns the position of an event, or the zero position if it has none. A binary broadcast has no
// ref: the broadcast before it has its position. Over long polling the binary one may be left out.
func (r *resume) placeOf(in *clientwire.Incoming) position {
	if !in.JoinRef.IsNull() {
		return parsePosition(in.Ref.Text())
	}
	next := r.next
	r.next = position{}
	if in.Payload.Binary {
		return next
	}
	return parsePosition(in.Ref.Text())
}

// resumingLocked is queueLocked for a channel that resumes.
func (ch *Channel) resumingLocked(in *clientwire.Incoming) {
	r := ch.resume
	switch in.Event {
	case protocol.EventResume:
		ch.resumedLocked(in)
		return
	case protocol.EventOffset:
		r.announcedLocked(in, ch.state)
		return
	}
	at := r.placeOf(in)
	if !at.isZero() && (ch.state != StateJoined || !at.follows(r.at)) {
		return
	}
	if ch.queueLocked(in, at) && !at.isZero() {
		r.at = at
	}
}

// announcedLocked handles bennu:offset, which has the position of the next binary message, or one that
// the channel has reached without a message.
func (r *resume) announcedLocked(in *clientwire.Incoming, state State) {
	var v struct {
		Next any `json:"next"`
	}
	_ = json.Unmarshal(in.Payload.Data, &v)
	next, _ := v.Next.(string)
	r.next = parsePosition(next)
	if at := parsePosition(in.Ref.Text()); state == StateJoined && at.follows(r.at) {
		r.at = at
	}
}

// resumedLocked handles bennu:resume. It is for the callback what an event is for others, so it is not
// taken either if the queue is full.
func (ch *Channel) resumedLocked(in *clientwire.Incoming) {
	var v struct {
		Status any `json:"status"`
		Reason any `json:"reason"`
		Count  any `json:"count"`
	}
	_ = json.Unmarshal(in.Payload.Data, &v)
	status, _ := v.Status.(string)
	if ch.state != StateJoined || status == "" {
		return
	}
	r, at := ch.resume, parsePosition(in.Ref.Text())
	if r.told != nil {
		if !ch.roomLocked(Payload{}, in.Event) {
			return
		}
		told := &Resumed{Status: ResumeStatus(status), Position: at.text}
		told.Reason, _ = v.Reason.(string)
		if count, ok := v.Count.(float64); ok && count > 0 {
			told.Count = int(min(count, 1<<53))
		}
		ch.box.postLocked(item{kind: itemResumed, resumed: told})
	}
	switch {
	case at.isZero():
	case status == string(ResumeNew), status == string(ResumeLost), at.follows(r.at):
		r.at = at
	}
}

// fencedLocked joins again at once if the server has refused a join because messages of an earlier join
// were under way to the client. It does so once for each join, as the server does.
func (ch *Channel) fencedLocked(reason string) bool {
	r := ch.resume
	if r == nil || r.fenced || ch.state != StateJoining || reason != protocol.ReasonResume {
		return false
	}
	r.fenced = true
	ch.joinLocked()
	return true
}

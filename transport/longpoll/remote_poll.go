package longpoll

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// remotePoll is a poll whose client is connected to another server. It implements waiter, and
// task.Runner.
type remotePoll struct {
	peer
	ses   *session
	until time.Duration // when the other server has answered its client in any case
}

// remotePoll begins a poll of another server's client. It returns nil if there is no such session
// any more.
func (s *session) remotePoll(number uint64, from peer) (answer func()) {
	lim := s.mount.lim
	p := &remotePoll{peer: from, ses: s, until: s.srv.now() + lim.window + lim.pubsub}
	again, newer, ok := s.poll(number, p)
	if !ok {
		return nil
	}
	s.srv.stats.polls.Add(1)
	if newer != nil {
		return func() {
			_ = p.answer(message{kind: kindAck})
			// It stays one of the session's polls, because its client waits for the window.
			gone := s.srv.landing(p.request)
			defer s.srv.landed(p.request)
			if !s.overtaken(newer, gone) {
				_ = p.answer(message{kind: kindNack})
			}
		}
	}
	if again != nil {
		return func() {
			defer s.leave(p)
			_ = p.answer(message{kind: kindAck})
			_ = p.sendBatch(again)
		}
	}
	return func() {
		_ = p.answer(message{kind: kindAck})
		p.Run()
	}
}

// wake implements waiter.
func (p *remotePoll) wake() { p.srv.tasks.Start(p) }

// isOver implements waiter.
func (p *remotePoll) isOver() bool { return p.srv.now() > p.until }

// dismiss implements waiter. An answer that is being written is bounded by the other server.
func (p *remotePoll) dismiss() {
	p.srv.tasks.Go(func() { p.conclude(statusNoData) })
}

// serverClosing implements waiter.
func (p *remotePoll) serverClosing() {
	p.srv.tasks.Go(func() {
		// If Run has sent messages, the other server ignores what follows.
		p.Run() // messages that are queued come first
		_ = p.answer(message{kind: kindDone, status: statusClosing})
	})
}

// Run sends the messages that are queued, unless the client has been answered already.
func (p *remotePoll) Run() {
	if p.isOver() {
		p.ses.leave(p)
		return
	}
	b, ok := p.ses.take(p)
	if !ok {
		return
	}
	defer p.ses.leave(p)
	// The client got nothing of the batch, so another poll may have it.
	if p.sendBatch(&b) != nil {
		p.ses.mu.Lock()
		defer p.ses.mu.Unlock()
		p.ses.giveBackLocked(p)
	}
}

// errFlights means that too many bytes are on their way to other servers.
var errFlights = errors.New("longpoll: too much is on its way to other nodes")

// sendBatch sends a batch when flights has room for it, and waits until it has arrived. After an
// error it cannot arrive completely.
//
// A large batch waits for kindTaken of the other server, so that it counts in flights until it has
// arrived. If that message is lost, PubSubTimeout ends the wait; the batch is acknowledged by the
// client's next poll in any case.
func (p *remotePoll) sendBatch(b *batch) error {
	defer p.ses.answered()
	defer p.ses.written(b)
	ctx, cancel := context.WithTimeout(context.Background(), p.until-p.srv.now())
	defer cancel()
	size := 0
	for _, m := range b.messages {
		size += 4 + len(m)
	}
	if size <= earnest { // too small to count in flights
		return p.answerWithin(ctx, message{kind: kindBatch, number: b.number, last: true, body: joinMessages(b.messages)})
	}
	flight := p.srv.flight()
	if flight.take(ctx, p.srv.closing, min(size, p.srv.flights.most), p.ses.mount.lim.window) != "" {
		p.srv.book.Say(notice.RelayBusy, p.ses.about(slog.String("node", p.node))...)
		return errFlights
	}
	defer flight.releaseAll()
	landing := p.srv.landing(p.request)
	defer p.srv.landed(p.request)
	pieces := parts(joinMessages(b.messages))
	for i, piece := range pieces {
		m := message{kind: kindBatch, number: b.number, part: uint32(i), last: i == len(pieces)-1, body: piece}
		if err := p.answerWithin(ctx, m); err != nil {
			return err
		}
	}
	timer := time.NewTimer(p.ses.mount.lim.pubsub)
	defer timer.Stop()
	select {
	case <-landing:
	case <-timer.C:
	case <-p.srv.closing:
	}
	return nil
}

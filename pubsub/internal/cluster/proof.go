package cluster

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// asked is a boot that is asked for a proof. Each question has a number. The first one is random, and
// only nodes with the secret can ask.
type asked struct {
	since       time.Time // of the first question of a series without a long pause
	first, last uint64
	sent        [8]time.Time // times of the last questions
	lost        bool         // messages of the boot were dropped
}

// when returns the time of a question, or the zero time if it is too old.
func (a *asked) when(number uint64) time.Time {
	if a.last-number >= uint64(len(a.sent)) {
		return time.Time{}
	}
	return a.sent[number%uint64(len(a.sent))]
}

// nonce is a number that any node may answer.
type nonce struct {
	value uint64
	made  time.Time
}

const (
	// askPause is the time between two questions to a boot, and nonceTime the time for which the
	// nonce of hellos is used.
	askPause  = 250 * time.Millisecond
	nonceTime = 5 * time.Second
	// proofSlack is the margin by which the field before of an answer must be older than the
	// question: then all messages up to it are older than the question.
	proofSlack = time.Second
)

// randomNumber returns a random number that is not 0.
func randomNumber() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:]) | 1
}

// nonceFor returns the number of a new question to a boot, or 0 if it was asked a moment ago, or too
// many boots are asked.
func (p *peers) nonceFor(boot uint64, now time.Time) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.asked[boot]
	if a == nil {
		if len(p.asked) >= maxPeers {
			return 0
		}
		first := randomNumber()>>1 + 1
		a = &asked{first: first, last: first - 1}
		p.asked[boot] = a
	}
	pause := now.Sub(a.when(a.last))
	if pause < askPause {
		return 0
	}
	if pause > holdTime {
		a.since = now
	}
	a.last++
	a.sent[a.last%uint64(len(a.sent))] = now
	return a.last
}

// askedInVain reports whether a boot was asked repeatedly for holdTime.
func (p *peers) askedInVain(boot uint64, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.asked[boot]
	return a != nil && now.Sub(a.since) > holdTime && now.Sub(a.when(a.last)) <= holdTime
}

// lose notes that messages of a boot without a proof were dropped.
func (p *peers) lose(boot uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.asked[boot]; a != nil {
		a.lost = true
	}
}

// challenge asks a boot for a proof, over a channel to which its node is subscribed.
func (n *Node) challenge(boot uint64, channel string) {
	if ask := n.peers.nonceFor(boot, time.Now()); ask != 0 {
		_ = n.tell(channel, &envelope{kind: kindAsk, about: boot, ask: ask})
	}
}

// answered reports whether an envelope answers a question of this node, and when that was asked.
func (p *peers) answered(e *envelope, now time.Time) (when time.Time, lost, ok bool) {
	if e.kind != kindBeat || e.about == 0 {
		return when, false, false
	}
	a := p.asked[e.boot]
	if a != nil && a.first <= e.about && e.about <= a.last {
		delete(p.asked, e.boot)
		return a.when(e.about), a.lost, true
	}
	if e.about == p.hello.value && now.Sub(p.hello.made) < startTime {
		delete(p.asked, e.boot)
		return p.hello.made, a != nil && a.lost, true
	}
	return when, false, false
}

// standing is the standing of the sender of a control envelope.
type standing int

const (
	unproved standing = iota // it has not proved that it is alive
	repeated                 // the envelope has arrived before
	proved                   // it is alive
)

// judgement is the result of judge.
type judgement struct {
	standing
	fresh bool // this is the proof
	back  bool // the sender had been given up
	lost  bool // messages of it were dropped before
	full  bool // there are too many nodes

	published bool // the sender has published something lately
}

// judge judges a control envelope, and notes its content if the sender is alive.
func (p *peers) judge(inbox bool, e *envelope) (j judgement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	k := p.known[e.boot]
	way := 0
	if inbox {
		way = 1
	}
	if k != nil {
		if e.number <= k.numbers[way] {
			j.standing = repeated
			return j
		}
		if k.gone.Load() == 0 {
			k.numbers[way] = e.number
			k.saw(e, now)
			if k.taken { // it is alive, so two nodes have its name
				k.left, k.taken = time.Time{}, false
			}
			j.standing = proved
			return j
		}
	}
	if !inbox {
		return j
	}
	when, lost, ok := p.answered(e, now)
	switch {
	case !ok:
		return j
	case e.node == p.name: // it does not become a peer
		j.standing = proved
		return j
	case k == nil:
		if len(p.known) >= maxPeers && !p.makeRoom() {
			j.full = true
			return j
		}
		k = &peer{boot: e.boot, name: e.node}
		if now.Sub(when)+proofSlack < time.Duration(min(e.age, 1<<31))*time.Millisecond {
			k.floor = e.before
		}
		p.known[e.boot] = k
		for _, other := range p.known { // it replaces a peer with the same name
			if other.name == k.name && other != k && other.left.IsZero() {
				other.left, other.taken = now, true
			}
		}
	default:
		j.back = true
		k.left, k.taken = time.Time{}, false
	}
	j.standing, j.fresh, j.lost, j.published = proved, true, lost, e.serial > k.floor
	k.numbers[way] = e.number
	k.saw(e, now)
	k.gone.Store(0)
	return j
}

// makeRoom removes the peer that was given up first, and returns false if none was.
func (p *peers) makeRoom() bool {
	var oldest *peer
	for _, k := range p.known {
		if g := k.gone.Load(); g != 0 && (oldest == nil || g < oldest.gone.Load()) {
			oldest = k
		}
	}
	if oldest == nil {
		return false
	}
	delete(p.known, oldest.boot)
	return true
}

// prove judges a control envelope, asks for a proof if there is none, and answers a question of the
// sender. It reports whether the envelope may be handled.
func (n *Node) prove(channel string, e *envelope) bool {
	j := n.peers.judge(channel == n.inbox, e)
	if j.standing == repeated {
		n.stats.discarded.Add(1)
		n.book.Say(notice.MessagesStale, notice.Foreign("peer", e.node))
		return false
	}
	theirs := inboxChannel(n.options.Prefix, e.node)
	switch {
	case e.ask != 0 && (e.kind != kindAsk || e.about == n.boot):
		reply := envelope{kind: kindBeat, about: e.ask}
		if j.standing == unproved {
			reply.ask = n.peers.nonceFor(e.boot, time.Now())
		}
		_ = n.tell(theirs, &reply)
	case j.standing == unproved && e.kind != kindBye:
		n.challenge(e.boot, theirs)
	}
	switch {
	case j.full:
		n.book.Say(notice.TooManyNodes, notice.Foreign("peer", e.node), slog.Int("limit", maxPeers))
	case j.back:
		n.book.Say(notice.NodeBack, notice.Foreign("peer", e.node))
		n.interests.gap(errCutOff)
	case j.lost:
		n.interests.gap(errUnproved)
	case j.fresh && n.holds.Load() && e.server != n.link.Server() && e.started < n.started && j.published:
		// It was running before this node, and did not answer during the start of this one.
		n.interests.gap(errLate)
	}
	if j.standing == unproved && e.node == n.options.Node && e.kind == kindHello && !n.holds.Load() {
		n.peers.claim(e.boot)
	}
	if j.fresh || j.standing == proved && n.holding.Load() > 0 {
		for _, l := range n.lanes {
			l.nudge(e.boot)
		}
	}
	return j.standing == proved
}

var (
	errCutOff   = errors.New("another node was cut off from this one")
	errUnproved = errors.New("messages of another node came long before its proof that it is alive")
)

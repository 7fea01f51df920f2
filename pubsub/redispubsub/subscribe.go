package redispubsub

import (
	"context"
	"fmt"
	"slices"

	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// take acquires turn. It returns false if ctx ends first.
func (l *link) take(ctx context.Context) bool {
	select {
	case l.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// give releases turn.
func (l *link) give() { <-l.turn }

// Subscribe implements cluster.Link. It waits for the servers, and in a cluster asks for a new map if
// channels have moved. It has the turn of the link, so only one call changes subscriptions at a time.
func (l *link) Subscribe(ctx context.Context, channels []string) error {
	if !l.take(ctx) {
		return context.Cause(ctx)
	}
	defer l.give()
	parts, err := l.want(channels)
	if err != nil {
		return err
	}
	// All commands are written before the first answer is awaited.
	sent := make(map[*session][]*command, len(parts))
	for x, part := range parts {
		sent[x] = x.listener.send(ctx, true, part)
	}
	refusal := &cluster.Refusal{}
	for x, part := range parts {
		denied, err := x.await(ctx, sent[x])
		if err != nil {
			if redisconn.Judge(err) == redisconn.Moved {
				// rearrange subscribes to these channels, too, and the node calls Subscribe again.
				l.stale(redisconn.Hint(err))
				return fmt.Errorf("redispubsub: %w", errMoved)
			}
			return fmt.Errorf("redispubsub: %w", l.target.Explain(x.addr, l.target.User, err))
		}
		l.confirm(x, l.deny(x, part, denied))
		if denied != nil {
			for i, c := range denied.Channels {
				refusal.Add(c, denied.Causes[i])
			}
		}
	}
	if refusal.Channels != nil {
		return refusal
	}
	return nil
}

// await waits for commands that subscribe, and returns the channels that the server refuses. The
// server refuses a command with all its channels, so these are tried one by one.
func (x *session) await(ctx context.Context, sent []*command) (denied *cluster.Refusal, err error) {
	deny := func(cause error, channels ...string) {
		if denied == nil {
			denied = &cluster.Refusal{}
		}
		for _, c := range channels {
			denied.Add(c, fmt.Errorf("redispubsub: %w", x.link.forbidden(x.addr, "subscribe to", c, cause)))
		}
	}
	var apart []string
	for _, c := range sent {
		err := x.listener.await(ctx, []*command{c})
		switch {
		case err == nil:
		case !redisconn.NoPermission(err):
			return nil, err
		case len(c.channels) == 1 || redisconn.NoCommand(err):
			deny(err, c.channels...)
		default:
			apart = append(apart, c.channels...)
		}
	}
	for part := range slices.Chunk(apart, maxChannels) {
		single := make([]*command, len(part))
		for i, c := range part {
			single[i] = x.listener.write(ctx, true, []string{c})
		}
		for i, c := range single {
			err := x.listener.await(ctx, []*command{c})
			if redisconn.NoPermission(err) {
				deny(err, part[i])
			} else if err != nil {
				return nil, err
			}
		}
	}
	return denied, nil
}

// deny records the refused channels of a session, and returns the others. The next Subscribe of a
// refused channel tries it again.
func (l *link) deny(x *session, channels []string, denied *cluster.Refusal) (others []string) {
	if denied == nil {
		return channels
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if x.denied == nil {
		x.denied = make(map[string]bool)
	}
	for _, c := range denied.Channels {
		x.denied[c] = true
	}
	for _, c := range channels {
		if !x.denied[c] {
			others = append(others, c)
		}
	}
	return others
}

// want adds channels to those that the node wants. It returns the channels that are not subscribed yet, by
// the session that has to subscribe to them. The error is cluster.ErrAway if a shard has no session, and
// errMoved if another session still has one of the channels. The channels are wanted in spite of it.
func (l *link) want(channels []string) (map[*session][]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range channels {
		if _, ok := l.wanted[c]; !ok {
			l.wanted[c] = nil
		}
	}
	parts := make(map[*session][]string)
	for _, c := range channels {
		x := l.owner(c).session
		switch has := l.wanted[c]; {
		case x == nil: // the next session subscribes to it
			return nil, fmt.Errorf("redispubsub: %w", cluster.ErrAway)
		case has == x: // it is subscribed already
		case has != nil && has == has.shard.session:
			// The other session has to unsubscribe first, or both would read messages.
			l.stale("")
			return nil, fmt.Errorf("redispubsub: %w", errMoved)
		default:
			delete(x.denied, c) // it is tried again
			parts[x] = append(parts[x], c)
		}
	}
	return parts, nil
}

// confirm records that a session is subscribed to channels. It returns those that are no longer wanted,
// from which the session has to unsubscribe.
func (l *link) confirm(x *session, channels []string) (drop []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range channels {
		if _, ok := l.wanted[c]; ok {
			l.wanted[c] = x
		} else {
			drop = append(drop, c)
		}
	}
	return drop
}

// Unsubscribe implements cluster.Link. It does not wait for the server.
func (l *link) Unsubscribe(channels []string) error {
	if !l.take(l.ctx) {
		return nil // subscriptions end with their connections
	}
	defer l.give()
	l.mu.Lock()
	parts := make(map[*session][]string)
	for _, c := range channels {
		// Subscriptions end with their session, so only a live one has to unsubscribe.
		if x := l.wanted[c]; x != nil && x == x.shard.session {
			parts[x] = append(parts[x], c)
		}
		delete(l.wanted, c)
	}
	l.mu.Unlock()
	for x, part := range parts {
		x.listener.send(l.ctx, false, part)
	}
	return nil
}

// settle subscribes a session to every wanted channel of its shard. Channels that the session of another
// shard has by an old map are unsubscribed there first. If live is true, x becomes the session of the
// shard, in the moment in which no channel is missing. It fails if the server does not confirm
// settleChannels of them within settleTime.
func (l *link) settle(ctx context.Context, x *session, live bool) error {
	// Subscribe may add channels while the server confirms others, so this is repeated until none
	// is missing.
	late := false // channels were subscribed late, so messages may have been missed
	for {
		l.mu.Lock()
		missing, held := l.missing(x)
		if len(missing) == 0 {
			if live {
				x.shard.session, x.shard.known = x, true
			}
			// Messages may have been missed before the subscriptions. For a new session tell
			// reports Up instead, which implies a gap.
			if late && l.shift == nil {
				l.shift = errMoved
			}
			l.mu.Unlock()
			l.wake()
			return nil
		}
		l.mu.Unlock()
		late = true
		for other, part := range held {
			// An error is not looked at: the subscriptions then end with the connection.
			_ = other.listener.awaitFor(ctx, settleTime, other.listener.send(ctx, false, part))
			l.release(other, part)
		}
		for part := range slices.Chunk(missing, settleChannels) {
			ctx, cancel := context.WithTimeoutCause(ctx, settleTime, errUnconfirmed)
			denied, err := x.await(ctx, x.listener.send(ctx, true, part))
			cancel()
			if err != nil {
				return err
			}
			if drop := l.confirm(x, l.deny(x, part, denied)); len(drop) > 0 {
				x.listener.send(l.ctx, false, drop)
			}
			if denied != nil {
				l.mu.Lock()
				l.denials = append(l.denials, denied)
				l.mu.Unlock()
			}
		}
	}
}

// settleChannels bounds the unconfirmed channels of settle, since the answers wait in the output
// buffer of the server, which is limited.
const settleChannels = 16 * maxChannels

// missing returns the channels to which x should be subscribed and is not, and in held those of them to
// which other live sessions are subscribed. The caller holds mu.
func (l *link) missing(x *session) (missing []string, held map[*session][]string) {
	for c, has := range l.wanted {
		if has == x || x.denied[c] || l.owner(c) != x.shard {
			continue
		}
		missing = append(missing, c)
		if has != nil && has == has.shard.session {
			if held == nil {
				held = make(map[*session][]string)
			}
			held[has] = append(held[has], c)
		}
	}
	return missing, held
}

// release records that a session is no longer subscribed to channels.
func (l *link) release(x *session, channels []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range channels {
		if l.wanted[c] == x {
			l.wanted[c] = nil
		}
	}
}

// forsaken records that the server of a session has ended a subscription, which it does when the slot of
// the channel moves.
func (l *link) forsaken(x *session, channel string) {
	l.release(x, []string{channel})
	l.stale("")
}

// rearrange subscribes each live session to the channels that belong to its shard by the current map. It
// returns the first error; follow then tries again.
func (l *link) rearrange(ctx context.Context) error {
	if !l.take(ctx) {
		return context.Cause(ctx)
	}
	defer l.give()
	// The sessions that lack a channel: that of their probes, or a wanted one.
	l.mu.Lock()
	lack := make(map[*session]bool)
	for _, s := range l.shards {
		if x := s.session; x != nil && l.owner(*x.probe.Load()) != s {
			lack[x] = true
		}
	}
	for c, has := range l.wanted {
		if x := l.owner(c).session; x != nil && x != has && !x.denied[c] {
			lack[x] = true
		}
	}
	l.mu.Unlock()
	var first error
	for x := range lack {
		err := x.rehearse(ctx)
		if err == nil {
			err = l.settle(ctx, x, false)
		}
		if err != nil {
			l.stale(redisconn.Hint(err))
			if first == nil {
				first = err
			}
		}
	}
	return first
}

// rehearse gives the session another channel for its probes, if the slot of the current one has moved: the
// server would refuse probes to the old channel with MOVED.
func (x *session) rehearse(ctx context.Context) error {
	l := x.link
	l.mu.Lock()
	here := l.owner(*x.probe.Load()) == x.shard
	l.mu.Unlock()
	if here {
		return nil
	}
	channel, ok := l.probeFor(x.shard)
	if !ok {
		return nil // the shard has no slots any more, and will be removed
	}
	old := x.probe.Swap(&channel)
	x.listener.send(ctx, false, []string{*old})
	return x.listener.awaitFor(ctx, settleTime, x.listener.send(ctx, true, []string{channel}))
}

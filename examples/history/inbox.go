package main

import (
	"context"
	"sync"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
)

// inboxes knows how far each user has read, as a database would.
type inboxes struct {
	mu   sync.Mutex
	read map[string]history.Offset // by topic; MarshalText makes it text for a column
}

// inbox is a client that shows the inbox of one user.
type inbox struct {
	*bennu.Channel
	all *inboxes
}

func (in *inboxes) channels() bennu.ChannelHandler {
	d := bennu.Define(in.join)
	bennu.On(d, "read", (*inbox).markRead)
	return d
}

// join lets the client go on after what its user has read, on whatever device. So it need not send an
// offset, and gets them in the payloads, where every client can read them. Whoever has read nothing yet
// gets the newest 100.
func (in *inboxes) join(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*inbox, bennu.Empty, error) {
	in.mu.Lock()
	read := in.read[ch.Topic()]
	in.mu.Unlock()
	if err := ch.Resume(read); err != nil {
		return nil, bennu.Empty{}, err
	}
	if err := ch.Rewind(100); err != nil {
		return nil, bennu.Empty{}, err
	}
	return &inbox{ch, in}, bennu.Empty{}, ch.Offsets(bennu.InPayload)
}

type readUpTo struct {
	Offset history.Offset `json:"_offset"`
}

// markRead is called when the user has read a message, and all before it.
func (i *inbox) markRead(_ context.Context, in readUpTo) (bennu.Empty, error) {
	i.all.mu.Lock()
	defer i.all.mu.Unlock()
	i.all.read[i.Topic()] = in.Offset
	return bennu.Empty{}, nil
}

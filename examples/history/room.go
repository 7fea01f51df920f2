package main

import (
	"context"
	"encoding/json"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
)

// room is one person in one chat room. A history needs nothing of a channel: its broadcasts are kept
// because of their topic.
type room struct{ *bennu.Channel }

func rooms() bennu.ChannelHandler {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
		return &room{ch}, bennu.Empty{}, nil
	})
	bennu.On(d, "say", (*room).say)
	bennu.On(d, "earlier", (*room).earlier)
	return d
}

type line struct {
	Body string `json:"body"`
}

// say returns when the room's history has the line.
func (r *room) say(_ context.Context, in line) (bennu.Empty, error) {
	return bennu.Empty{}, r.Broadcast("said", in)
}

// earlierThan asks for the lines before an offset, which is the ref of a broadcast. Without one it
// asks for the newest.
type earlierThan struct {
	Before history.Offset `json:"before"`
}

type lines struct {
	Lines []old `json:"lines"` // oldest first
	More  bool  `json:"more"`  // there are older ones
}

type old struct {
	At   history.Offset  `json:"at"`
	Line json.RawMessage `json:"line"`
}

// earlier is for scrolling up: it returns 50 lines that were said before.
func (r *room) earlier(ctx context.Context, in earlierThan) (lines, error) {
	q := &history.Query{Before: in.Before, Limit: 50}
	if in.Before.IsZero() {
		q = &history.Query{Last: 50}
	}
	page, err := r.Socket().Endpoint().History(ctx, r.Topic(), q)
	out := lines{Lines: []old{}, More: page.More}
	for _, m := range page.Messages {
		out.Lines = append(out.Lines, old{m.Offset, m.Payload})
	}
	return out, err
}

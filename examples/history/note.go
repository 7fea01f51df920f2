package main

import (
	"context"
	"errors"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
)

// note is one of those who write a text together. Each broadcast has the whole text.
type note struct{ *bennu.Channel }

func notes() bennu.ChannelHandler {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*note, bennu.Empty, error) {
		return &note{ch}, bennu.Empty{}, nil
	})
	bennu.On(d, "write", (*note).write)
	return d
}

type text struct {
	Text string `json:"text"`
}

// edit is a new text. Seen is the offset of the text that its author has seen.
type edit struct {
	Text string         `json:"text"`
	Seen history.Offset `json:"seen"`
}

// write replaces the text, unless somebody else has done so meanwhile.
func (n *note) write(ctx context.Context, in edit) (bennu.Empty, error) {
	_, err := n.Publish(ctx, "wrote", text{in.Text}, bennu.After(in.Seen))
	if errors.Is(err, history.ErrConflict) {
		return bennu.Empty{}, bennu.Errorf("somebody else has changed it") // they get the other text, too
	}
	return bennu.Empty{}, err
}

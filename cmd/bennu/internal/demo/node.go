package demo

import (
	"context"
	"slices"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/pubsub"
)

// nodeState is what the page shows of the node that it has reached.
type nodeState struct {
	Node      string   `json:"node"`
	Broker    string   `json:"broker"` // "" when the node is alone
	Connected bool     `json:"connected"`
	Conflict  bool     `json:"conflict"` // another node has its name
	Peers     []string `json:"peers"`
}

func (s nodeState) equal(other nodeState) bool {
	return s.Node == other.Node && s.Broker == other.Broker && s.Connected == other.Connected &&
		s.Conflict == other.Conflict && slices.Equal(s.Peers, other.Peers)
}

// stateOf omits why a broker is away: that is for the log, and not for everybody who can open the
// page.
func stateOf(node, broker string, h pubsub.Health) nodeState {
	return nodeState{
		Node: node, Broker: broker, Connected: h.Connected, Conflict: h.Connected && h.Err != nil,
		Peers: append([]string{}, h.Peers...), // in JSON a list, even when it is empty
	}
}

// nodes is a channel that answers a join with the state of the node and pushes it when it has
// changed. It polls the state, since an adapter does not report changes.
func nodes(look func() nodeState, every time.Duration) bennu.ChannelHandler {
	return bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*bennu.Channel, nodeState, error) {
		told := look()
		ch.Go(func(ctx context.Context) error {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for last := told; ; {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return nil
				}
				now := look()
				if now.equal(last) {
					continue
				}
				if err := ch.Push("changed", now); err != nil {
					return err
				}
				last = now
			}
		})
		return ch, told, nil
	})
}

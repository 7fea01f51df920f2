package redishistory

import (
	"context"

	"github.com/bennu-go/bennu/internal/follow"
)

// Rotate implements history.Store. With the epoch "" it begins the log of a topic that has none.
func (s *store) Rotate(ctx context.Context, topic, epoch string) error {
	k := s.keys(topic)
	return s.router.do(ctx, &call{
		script: rotateScript, slot: k.slot(), keys: []string{k.meta(), k.stream()},
		args: []any{epoch, follow.NewEpoch(), leastLife.Milliseconds()},
	})
}

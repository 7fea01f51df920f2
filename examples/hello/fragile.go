package hello

import (
	"context"
	"time"

	"github.com/bennu-go/bennu"
)

// fragileChannel counts beats, and crashes on request. Its count is lost then: the
// client joins again and gets a new fragileChannel.
type fragileChannel struct {
	*bennu.Channel
	beats int
}

// fragiles makes channels that push a beat once per interval.
func fragiles(interval time.Duration) bennu.ChannelHandler {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*fragileChannel, bennu.Empty, error) {
		f := &fragileChannel{Channel: ch}
		f.Go(func(ctx context.Context) error { return f.tick(ctx, interval) })
		return f, bennu.Empty{}, nil
	})
	bennu.On(d, "crash", (*fragileChannel).crash)
	bennu.OnInfo(d, (*fragileChannel).beat)
	return d
}

// tick runs at the same time as the handlers, from the join to the end of the channel.
// So it does not touch the fields: it sends a message to the channel, and the method
// beat changes them.
func (f *fragileChannel) tick(ctx context.Context, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			if err := f.Send(now); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

type beats struct {
	N int `json:"n"`
}

func (f *fragileChannel) beat(context.Context, time.Time) error {
	f.beats++
	return f.Push("beat", beats{f.beats})
}

// crash shows what happens if a handler panics: the panic is logged, the client gets
// phx_error and joins again, and other channels are not affected.
func (f *fragileChannel) crash(context.Context, bennu.Empty) (bennu.NoReply, error) {
	panic("somebody pressed the button")
}

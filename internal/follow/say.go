package follow

import (
	"log/slog"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/pubsub"
)

// sayBroken counts and logs a message of another node whose place cannot be.
func (f *Followers) sayBroken(topic string, p *pubsub.Place) {
	f.o.Book.Say(notice.HistoryUnsound, slog.String("topic", topic), slog.Uint64("offset", p.Offset), slog.Uint64("prev", p.Prev))
}

// sayRead counts and logs a call of the store that failed, for a number of topics; the line names one of
// them. The call is made again.
func (f *Followers) sayRead(topic string, topics int, err error) {
	if f.ctx.Err() != nil {
		return // Close ended the call
	}
	f.o.Book.Say(notice.HistoryRead, slog.String("topic", topic), slog.Int("topics", topics), slog.String("error", err.Error()))
}

// sayBroke counts and logs that the log of a topic has broken.
func (f *Followers) sayBroke(topic string, from, to Position) {
	f.o.Book.Say(notice.HistoryBroke, slog.String("topic", topic), slog.String("epoch", from.Epoch), slog.Uint64("offset", from.Offset),
		slog.String("new_epoch", to.Epoch), slog.Uint64("new_offset", to.Offset))
}

// sayPanic counts and logs that a subscriber of a topic has panicked with v.
func (f *Followers) sayPanic(topic string, v any) {
	f.o.Book.Say(notice.DeliveryCrash, slog.String("topic", topic), slog.String("error", redact.Print(v)), redact.StackAttr())
}

package bennu

import (
	"cmp"
	"log/slog"
	"math"
	"time"

	"github.com/bennu-go/bennu/internal/jsontext"
)

// sayLimits logs the effective limits once. Later calls do nothing.
func (e *Endpoint) sayLimits() {
	if !e.limitsSaid.Swap(true) {
		e.logLimits()
	}
}

// logLimits logs the limits of the node and of its mounts, and warns if Connections had to be
// lowered.
func (e *Endpoint) logLimits() {
	l := &e.admission.limits
	e.log.Log(slog.LevelInfo, "limits of this node",
		bound("connections", l.Connections), bound("per_address", l.PerAddress),
		bound("connects_at_once", l.Connects), bound("joins_at_once", l.Joins), slog.Int("open_files", fileLimit()),
		bound("late_callbacks", l.LateCallbacks))
	// withDefaults has lowered it, silently so far.
	if given := e.options.Limits.Connections; given > l.Connections {
		e.log.Log(slog.LevelWarn, "the process may open too few files for Limits.Connections, which is lowered",
			slog.Int("given", given), slog.Int("connections", l.Connections), slog.String("fix", "raise the process's limit on open files, or lower EndpointOptions.Limits.Connections"))
	}
	e.logMounts(e.handlers.all(), e.mounts.all())
}

// logMounts logs the limits of handlers, and those of their transports at each path.
func (e *Endpoint) logMounts(handlers []*mountedHandler, mounts []*mount) {
	for _, h := range handlers {
		e.log.Log(slog.LevelInfo, "limits of a connection", append([]slog.Attr{slog.String("path", h.path)}, h.attrs()...)...)
	}
	for _, m := range mounts {
		if limits := m.handler.Limits(); len(limits) > 0 {
			e.log.Log(slog.LevelInfo, "limits of a mount", append([]slog.Attr{slog.String("path", m.String())}, limits...)...)
		}
	}
}

// bound returns a limit as a log attribute.
func bound(name string, n int) slog.Attr {
	if n < 0 || n == math.MaxInt {
		return slog.String(name, "unlimited")
	}
	return slog.Int(name, n)
}

// attrs returns the effective limits of a mount's connections. The log masks values whose names
// contain "token", so MessageTokens is called message_values.
func (h *mountedHandler) attrs() []slog.Attr {
	l := &h.limits
	list := []slog.Attr{
		bound("topics", l.Topics), bound("mailbox_messages", l.MailboxMessages), bound("mailbox_bytes", l.MailboxBytes),
		bound("join_burst", l.JoinBurst), bound("join_rate", l.JoinRate),
		bound("message_values", cmp.Or(l.MessageTokens, jsontext.MaxTokens)), bound("message_rate", cmp.Or(l.MessageRate, Unlimited)),
		bound("late_callbacks", l.LateCallbacks), timeBound("connect_timeout", l.ConnectTimeout),
		timeBound("join_timeout", l.JoinTimeout), timeBound("handler_grace", l.HandlerGrace), timeBound("expiry_grace", h.expiryGrace),
	}
	if h.endpoint.keeping != nil {
		list = append(list, bound("replay_rate", l.ReplayRate))
	}
	return list
}

// timeBound is bound for a duration.
func timeBound(name string, d time.Duration) slog.Attr {
	if d == math.MaxInt64 {
		return slog.String(name, "unlimited")
	}
	return slog.Duration(name, d)
}

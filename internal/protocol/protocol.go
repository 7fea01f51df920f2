// Package protocol has the names that Phoenix Channels gives to the events, the topic and the
// statuses of its own.
package protocol

// Events that have a meaning on every topic.
const (
	EventJoin  = "phx_join"
	EventLeave = "phx_leave"
	EventReply = "phx_reply"
	EventClose = "phx_close"
	EventError = "phx_error"
)

// Events about the history of a topic, which servers other than bennu do not send, and the reason of
// the phx_error that makes a client join again with the position that it has by then.
const (
	EventResume  = "bennu:resume" // how a channel goes on, and from where
	EventOffset  = "bennu:offset" // a position without a message, or that of the next binary one
	ReasonResume = "resume"
)

// A client shows with EventHeartbeat on TopicPhoenix, which belongs to no channel, that it is
// still there.
const (
	TopicPhoenix   = "phoenix"
	EventHeartbeat = "heartbeat"
)

// Statuses of a reply. Applications may use others.
const (
	StatusOK    = "ok"
	StatusError = "error"
)

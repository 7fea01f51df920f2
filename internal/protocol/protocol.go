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

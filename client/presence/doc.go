// Package presence keeps, in a client, the list of who is present on a channel. The server
// tracks them with bennu's package presence, or with Phoenix.Presence.
//
//	here := presence.New[Meta](room, nil)
//	here.OnJoin(func(c presence.Change[Meta]) { ... })
//	here.OnSync(func() { show(here.List()) })
//	room.Join(ctx)
//
// The server sends the whole list after each join, and then differences. While the channel is
// down the list stays as it is; when it has joined again, the callbacks get what has changed.
package presence

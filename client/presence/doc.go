// Package presence keeps the list of who is present on a channel: what the server
// tracks with bennu's package presence, or with Phoenix.Presence.
//
//	here := presence.New[Meta](room, nil)
//	here.OnJoin(func(c presence.Change[Meta]) { ... })
//	here.OnSync(func() { show(here.List()) })
//	room.Join(ctx)
//
// The server sends the whole list once after each join, and then differences. The list is
// kept while the channel is down, and brought up to date, with callbacks for what is
// different, when it has joined again.
package presence

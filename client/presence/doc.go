// Package presence keeps a client's copy of the presences of a topic, as the class Presence of
// phoenix.js does. The server tracks them with bennu's package presence, or with Phoenix.Presence.
//
//	here := presence.New[Meta](room, nil)
//	here.OnJoin(func(c presence.Change[Meta]) { ... })
//	here.OnSync(func() { show(here.List()) })
//	room.Join(ctx)
//
// The server sends the whole list after each join, and differences from then on. While the channel is
// down the list stays as it was. After the next join the callbacks get the changes since then.
package presence

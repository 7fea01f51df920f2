// Package hello is a first bennu application: four kinds of channel behind one
// socket, a file for each.
//
//   - ping.go, topics ping:*: replies, and a push that comes later by itself.
//   - room.go, topics room:*: a chat room, what is broadcast in it, and who is there.
//   - inventory.go, topics inventory:<sku>: why topics are narrow. stock.go is the
//     store behind it.
//   - fragile.go, topics fragile:*: a channel that crashes, and is joined again.
//
// The command "bennu demo" serves it with a page to play with. The tests show
// how channels are tested: handlers as plain methods, channels with channeltest, time
// with testing/synctest, and once a server over a network.
package hello

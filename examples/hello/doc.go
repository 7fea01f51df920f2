// Package hello is a first bennu application. It has four kinds of channel behind one
// socket, each in a file:
//
//   - ping.go, topics ping:*: replies, and a push that the server sends later.
//   - room.go, topics room:*: a chat room with broadcasts and presence.
//   - inventory.go, topics inventory:<sku>: a topic for each item, so that a client gets
//     only the changes that it shows. stock.go is the store behind it.
//   - fragile.go, topics fragile:*: a channel that crashes and is joined again.
//
// The command "bennu demo" serves it with a page to try it. The tests show how to test
// channels: handlers as plain methods, channels with channeltest, time with
// testing/synctest, and one server over a network.
package hello

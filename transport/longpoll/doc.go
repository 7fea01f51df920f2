// Package longpoll is the transport over HTTP long polling, for clients behind proxies that break
// WebSocket. [New] returns it for SocketOptions.Transports. It speaks the protocol that phoenix.js
// falls back to.
//
// All mounts of an endpoint share a server, which owns the sessions. A GET without a token makes a
// session. From then on GETs (polls) fetch what the server has for the client, and POSTs bring
// messages of the client. No connection shows when a client is gone, so a session ends when it is
// not polled.
//
// # What can be lost
//
// Each answer with messages has a new token, and a client that presents it has received them. Until
// then the server keeps them. If a client misses an answer and repeats its poll with the token it
// has, it gets the same messages again, with the same token, by which it knows that they are the
// same. So nothing is lost and nothing is received twice if a client adopts each token and repeats
// polls that failed. A client that does so from the start says it with the header
// X-Bennu-Longpoll-Ack: 1 when it makes its session.
//
// A poll that a client gave up may reach the server after later ones. It then has an old token. It
// changes nothing if one of the later polls waits or arrives, or if its own connection is closed.
// Otherwise the session ends, because its client asks for messages that it has acknowledged.
//
// The stock phoenix.js adopts tokens but does not repeat polls: when one fails, it makes a new
// session and joins its channels again, so it knows what it may have missed. A browser repeats a poll
// by itself when the connection breaks before the answer arrives, so clients in browsers are treated
// like those with the header. For any other client that always presents its first token, every poll
// counts as proof of receipt, and the session ends when writing an answer to it fails visibly.
//
// # Several nodes
//
// A token names the server that has the session, its owner. Another server that a request reaches
// passes it on through pubsub, and the owner applies all rules: one waiting poll, order, proof of
// receipt. All nodes need the same EndpointOptions.Secret, and the same mounts in the same order.
//
// # Goroutines
//
// An idle session has a timer and no goroutine. A poll that waits has the goroutine of its request.
// Posts and the end of a session are handled by a goroutine of the server, the session's worker,
// which is the only one that calls the receiver.
package longpoll

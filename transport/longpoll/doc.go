// Package longpoll is the transport over HTTP long polling, for clients whose proxies break
// WebSocket: [New] is for SocketOptions.Transports. It is the protocol that phoenix.js falls
// back to.
//
// All mounts of an endpoint share a server, which owns the sessions. A session is made by a GET without a token; from then on GETs
// fetch what the server has for the client and POSTs bring what the client has
// for the server. Nobody can see from a connection that a client is gone, so a
// session lives by being polled.
//
// # What can be lost
//
// The token of each answer that has messages is a new one, and whoever presents
// it has received them. Until then the server keeps them. A client that missed an
// answer and repeats its poll with the token it had gets the same messages again,
// with the same token, by which it can tell that they are the same. So nothing is
// lost and nothing comes twice with a client that adopts each token and repeats
// polls that failed. One that does so from the start says it with the header
// X-Bennu-Longpoll-Ack: 1 when it makes its session.
//
// A poll that a client gave up may reach the server after the ones that followed it. Its token
// is an old one then. It changes nothing if one of the others waits or comes, or its own client
// is gone; otherwise the session ends, because its client asks for what it has acknowledged.
//
// The stock phoenix.js adopts tokens but does not repeat polls: when one fails it
// makes a new session and joins its channels again, so what it misses it knows of.
// To a client that presents its first token for ever, every poll counts as proof
// of receipt; when an answer to it visibly fails to be written the session ends.
//
// # Several nodes
//
// A token names the server that has the session. A request that reaches another
// one is passed on through pubsub, where all rules are the owner's to apply:
// one waiting poll, order, proof of receipt. All nodes need the same
// EndpointOptions.Secret, and the same mounts in the same order.
//
// # Goroutines
//
// An idle session has a timer and no goroutine. A poll that waits has that of its
// request. A post and the end of a session have one of the server's, which is the
// only one that calls the session's receiver.
package longpoll

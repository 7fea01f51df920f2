// Package wire has the messages of Phoenix Channels and their form in frames. Import it to
// write a serializer, which translates between the two; programs that only serve channels do
// not need it.
//
// # Messages
//
// Clients send a [Message]. The server sends a [Reply] to one message, a [Push] from a
// channel to its client, and a [Broadcast] to all subscribers of a topic. Each carries a
// [Payload], JSON or bytes, which serializers do not decode: they copy it as it is.
//
// A [Ref] is any JSON value. Clients number their messages with strings or integers, or not
// at all, and expect the same value back, with its type.
//
// # Serializers
//
// A [Serializer] is one version of the protocol. Clients use two, [V1] and [V2]:
//
//	version  frames  form
//	1.0.x    text    {"topic":T,"event":E,"payload":P,"ref":R}
//	2.0.x    text    [join_ref,ref,topic,event,payload]
//	2.0.x    binary  kind, lengths, join_ref, ref, topic, event, payload
//
// To add another, write its four methods, or embed V2 and override some of them, and list it
// with the versions that it is for in bennu.SocketHandler.Serializers, beside [Defaults].
//
// # What V1 and V2 accept
//
// Input is untrusted. The whole message is validated in one pass, strictly by RFC 8259:
// well-formed UTF-8, no lone surrogates, no number with a fraction or an exponent beyond a
// float64, nothing after the value, at most 64 levels of arrays and objects, and at most
// MaxTokens values and keys. Integers may have any size. Of several members with one name
// the last counts. All else is an error that wraps [ErrMalformed]. The transport bounds the
// length of a message before it is decoded.
//
// A topic or an event that is not a string, is too long or has characters below U+0020 is no
// error: it is the name of no channel and no handler (see [Message]).
//
// # Memory
//
// Decode allocates once, for the refs, the topic and the event together. The Append methods
// do not allocate if dst has room.
package wire

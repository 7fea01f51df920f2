// Package wire has the messages of Phoenix Channels, and the two versions of their encoding in frames.
// Import it to write a serializer, which encodes and decodes messages. Programs that only serve
// channels do not need it.
//
// # Messages
//
// Clients send a [Message]. The server sends a [Reply] to one message, a [Push] from a
// channel to its client, and a [Broadcast] to all subscribers of a topic. Each has a
// [Payload], JSON or bytes, which serializers copy without decoding it.
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
// To add another, write a type with the four methods, or a struct that embeds a Serializer, has V2
// in it, and overrides some of them. List it in bennu.SocketHandler.Serializers, with the versions
// that it is for, beside [Defaults].
//
// # What V1 and V2 accept
//
// Input is untrusted. The whole message is validated in one pass, strictly by RFC 8259:
// well-formed UTF-8, no lone surrogates, no number with a fraction or an exponent beyond a
// float64, nothing after the value, at most 64 levels of arrays and objects, and at most
// 10,000 values and keys (see [Options]). Integers may have any size. Of several members with the
// same name the last one counts. Any other message is an error that wraps [ErrMalformed]. The
// transport bounds the length of a message before it is decoded.
//
// A topic or an event that is not a string, is too long or has characters below U+0020 is not an
// error. No channel and no handler has such a name (see [Message]).
//
// # Memory
//
// Decode allocates once, for the refs, the topic and the event together. The Append methods
// do not allocate if dst has room.
package wire

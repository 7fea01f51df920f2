// Package wire turns protocol messages into the bytes of frames and back. It
// knows the three forms in which clients of Phoenix Channels speak (version 1
// objects, version 2 arrays, version 2 binary frames), does no I/O, and keeps
// no state.
//
// # Messages
//
// A client sends [Message] values. The server sends three kinds: a [Reply] to one
// message, a [Push] from a channel to its client, and a [Broadcast] to every
// subscriber of a topic. All carry a [Payload], which is JSON text or bytes and
// is never decoded here: a Message aliases the frame it came in, and an outgoing
// payload is copied as it stands. [AppendJSON] makes a payload from a Go value;
// [Compact] makes one from JSON text of unknown origin.
//
// A [Ref] holds any JSON value, since clients number their messages with strings,
// integers, or nothing, and expect the same value back with its type.
//
// # Serializers
//
// A [Serializer] is one version of the protocol. [V1] and [V2] are the two that
// clients use:
//
//	version  frames  form
//	1.0.x    text    {"topic":T,"event":E,"payload":P,"ref":R}
//	2.0.x    text    [join_ref,ref,topic,event,payload]
//	2.0.x    binary  kind, lengths, join_ref, ref, topic, event, payload
//
// [NewVersions] compiles a list of serializers with the versions they are for;
// [Versions.Select] finds the one for the vsn parameter of a connection. An
// application adds its own by writing the four methods, or by embedding [V2] and
// overriding some.
//
// [ClientSerializer] is the other end, for programs that are clients: V1 and V2 write
// each [Message] too, and read what a server sends as [Incoming].
//
// # What Decode accepts
//
// Input is untrusted. The whole message is validated in one pass against
// RFC 8259, strictly: well-formed UTF-8, no lone surrogates, no number with a
// fraction or exponent beyond a float64, nothing after the value, at most
// [MaxDepth] levels and [MaxTokens] tokens. Integers may have any size. Of
// several members with one name the last counts. Whatever fails is an error that
// wraps [ErrMalformed], on which a server closes the connection.
//
// A topic or event that is not a string, is longer than [MaxTopic] or [MaxEvent]
// bytes, or has characters below U+0020, is no error: it names no channel and no
// handler (see [Message]).
//
// The length of a message is for the transport to bound, before Decode sees it.
//
// # Memory
//
// Decode allocates once for the refs, the topic and the event together. The
// Append methods allocate nothing when dst has room.
package wire

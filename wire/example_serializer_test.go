package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/wire"
)

// lines is a serializer for devices that cannot parse JSON: a message is one line of fields,
// separated by tabs, in both directions.
type lines struct{}

var errLine = errors.New("lines: want join_ref, ref, topic, event and payload, separated by tabs")

// Decode reads join_ref, ref, topic, event and payload. It bounds the names before it copies
// them; the payload is a part of data.
func (lines) Decode(_ wire.Opcode, data []byte) (wire.Message, error) {
	part := bytes.SplitN(data, []byte("\t"), 5)
	if len(part) < 5 || len(part[0]) > wire.MaxRef || len(part[1]) > wire.MaxRef ||
		len(part[2]) > wire.MaxTopic || len(part[3]) > wire.MaxEvent {
		return wire.Message{}, errLine
	}
	return wire.Message{
		JoinRef: wire.StringRef(string(part[0])),
		Ref:     wire.StringRef(string(part[1])),
		Topic:   string(part[2]),
		Event:   string(part[3]),
		Payload: wire.Payload{Data: part[4], Binary: true},
	}, nil
}

func (lines) AppendReply(dst []byte, r *wire.Reply) (wire.Opcode, []byte, error) {
	return wire.Text, fmt.Appendf(dst, "%s\t%s\t%s\t%s\t%s",
		r.JoinRef.Text(), r.Ref.Text(), r.Topic, r.Status, r.Response.Data), nil
}

func (lines) AppendPush(dst []byte, p *wire.Push) (wire.Opcode, []byte, error) {
	return wire.Text, fmt.Appendf(dst, "%s\t\t%s\t%s\t%s",
		p.JoinRef.Text(), p.Topic, p.Event, p.Payload.Data), nil
}

func (lines) AppendBroadcast(dst []byte, b *wire.Broadcast) (wire.Opcode, []byte, error) {
	return wire.Text, fmt.Appendf(dst, "\t\t%s\t%s\t%s", b.Topic, b.Event, b.Payload.Data), nil
}

// A serializer of your own is listed with the versions that its clients ask for, together with
// the defaults.
func ExampleSerializer() {
	users := bennu.SocketHandler{
		Serializers: append(wire.Defaults(), wire.Versioned{Requirement: "~> 100.0", Serializer: lines{}}),
	}
	_ = users // add channels to it and mount it

	m, err := lines{}.Decode(wire.Text, []byte("1\t2\tsensor:7\tread\t21.5"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s on %s: %s\n", m.Event, m.Topic, m.Payload.Data)
	_, frame, err := lines{}.AppendReply(nil, &wire.Reply{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.Topic, Status: "ok"})
	fmt.Printf("%q %v\n", frame, err)
	// Output:
	// read on sensor:7: 21.5
	// "1\t2\tsensor:7\tok\t" <nil>
}

// quiet is a serializer without the broadcasts of one event. The other methods are those of
// the one inside.
type quiet struct{ wire.Serializer }

var errQuiet = errors.New("typing is not for this client")

func (q quiet) AppendBroadcast(dst []byte, b *wire.Broadcast) (wire.Opcode, []byte, error) {
	if b.Event == "typing" {
		return 0, nil, errQuiet
	}
	return q.Serializer.AppendBroadcast(dst, b)
}

func ExampleSerializer_embedding() {
	var s wire.Serializer = quiet{wire.V2(nil)}
	_, _, err := s.AppendBroadcast(nil, &wire.Broadcast{Topic: "room:1", Event: "typing"})
	fmt.Println(err)
	_, frame, err := s.AppendBroadcast(nil, &wire.Broadcast{Topic: "room:1", Event: "shout"})
	fmt.Printf("%s %v\n", frame, err)
	// Output:
	// typing is not for this client
	// [null,null,"room:1","shout",{}] <nil>
}

package wire_test

import (
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/bennu-go/bennu/wire"
)

func Example() {
	var s wire.Serializer = wire.V2(nil)
	m, err := s.Decode(wire.Text, []byte(`["1","7","room:lobby","shout",{"text":"hi"}]`))
	if err != nil {
		log.Fatal(err) // close the connection with 1011
	}
	fmt.Printf("%s on %s: %s\n", m.Event, m.Topic, m.Payload.Data)

	_, frame, err := s.AppendReply(nil, &wire.Reply{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.Topic, Status: "ok"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", frame)
	// Output:
	// shout on room:lobby: {"text":"hi"}
	// ["1","7","room:lobby","phx_reply",{"response":{},"status":"ok"}]
}

func ExamplePayload_Decode() {
	var shout struct{ Text string }
	err := wire.Payload{Data: []byte(`{"text":"hi"}`)}.Decode(&shout)
	fmt.Println(shout.Text, err)

	var bytes []byte // accepts only bytes
	err = wire.Payload{Data: []byte(`"aGk="`)}.Decode(&bytes)
	fmt.Println(err)
	// Output:
	// hi <nil>
	// wire: the payload is JSON, not bytes
}

func ExampleV1() {
	_, frame, err := wire.V1(nil).AppendBroadcast(nil, &wire.Broadcast{
		Topic: "room:lobby", Event: "shout", Payload: wire.Payload{Data: []byte(`{"text":"hi"}`)},
	})
	fmt.Printf("%s %v\n", frame, err)

	_, _, err = wire.V1(nil).AppendBroadcast(nil, &wire.Broadcast{Payload: wire.Payload{Binary: true}})
	fmt.Println(errors.Is(err, wire.ErrNoBinary))
	// Output:
	// {"topic":"room:lobby","event":"shout","payload":{"text":"hi"},"ref":null} <nil>
	// true
}

func ExampleV2_binary() {
	op, frame, err := wire.V2(nil).AppendPush(nil, &wire.Push{
		JoinRef: wire.StringRef("1"), Topic: "room:x", Event: "img", Payload: wire.Payload{Data: []byte{0xca, 0xfe}, Binary: true},
	})
	fmt.Printf("%v %q %v\n", op == wire.Binary, frame, err)

	_, _, err = wire.V2(nil).AppendPush(nil, &wire.Push{Event: strings.Repeat("x", 300), Payload: wire.Payload{Binary: true}})
	fmt.Println(err)
	// Output:
	// true "\x00\x01\x06\x031room:ximg\xca\xfe" <nil>
	// wire: event has 300 bytes, and a binary message holds at most 255
}

func ExampleRef() {
	m, err := wire.V2(nil).Decode(wire.Text, []byte(`[null,1,"t","e",{}]`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.JoinRef.IsNull())
	fmt.Println(m.Ref == "1", m.Ref == wire.StringRef("1"))
	fmt.Printf("%s %s\n", m.JoinRef.Append(nil), m.Ref.Append(nil))
	// Output:
	// true
	// true false
	// null 1
}

func ExampleRef_Text() {
	fmt.Println(wire.StringRef("a/b").Text(), wire.Ref("7").Text(), wire.Ref("").Text() == "")
	// Output: a/b 7 true
}

func ExampleParseRef() {
	for _, text := range []string{`"\u0031"`, `1e0`, ` 1 `, `null`} {
		r, err := wire.ParseRef([]byte(text))
		fmt.Printf("%q %v\n", string(r), err)
	}
	// Output:
	// "\"1\"" <nil>
	// "1.0" <nil>
	// "1" <nil>
	// "" <nil>
}

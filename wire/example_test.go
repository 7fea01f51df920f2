package wire_test

import (
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/bennu-go/bennu/wire"
)

func Example() {
	var s wire.Serializer = wire.V2{}
	m, err := s.Decode(wire.Text, []byte(`["1","7","room:lobby","shout",{"text":"hi"}]`))
	if err != nil {
		log.Fatal(err) // close the connection with 1011
	}
	fmt.Printf("%s on %s: %s\n", m.Event, m.Topic, m.Payload.Data)

	_, frame, err := s.AppendReply(nil, &wire.Reply{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.Topic, Status: wire.StatusOK})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", frame)
	// Output:
	// shout on room:lobby: {"text":"hi"}
	// ["1","7","room:lobby","phx_reply",{"response":{},"status":"ok"}]
}

func ExampleV1() {
	_, frame, err := wire.V1{}.AppendBroadcast(nil, &wire.Broadcast{
		Topic: "room:lobby", Event: "shout", Payload: wire.Payload{Data: []byte(`{"text":"hi"}`)},
	})
	fmt.Printf("%s %v\n", frame, err)

	_, _, err = wire.V1{}.AppendBroadcast(nil, &wire.Broadcast{Payload: wire.Payload{Binary: true}})
	fmt.Println(errors.Is(err, wire.ErrNoBinary))
	// Output:
	// {"topic":"room:lobby","event":"shout","payload":{"text":"hi"},"ref":null} <nil>
	// true
}

func ExampleV2_binary() {
	op, frame, err := wire.V2{}.AppendPush(nil, &wire.Push{
		JoinRef: wire.StringRef("1"), Topic: "room:x", Event: "img", Payload: wire.Payload{Data: []byte{0xca, 0xfe}, Binary: true},
	})
	fmt.Printf("%v %q %v\n", op == wire.Binary, frame, err)

	_, _, err = wire.V2{}.AppendPush(nil, &wire.Push{Event: strings.Repeat("x", 300), Payload: wire.Payload{Binary: true}})
	var tooLong *wire.FieldTooLongError
	if errors.As(err, &tooLong) {
		fmt.Println(tooLong)
	}
	// Output:
	// true "\x00\x01\x06\x031room:ximg\xca\xfe" <nil>
	// wire: event has 300 bytes, and a binary message holds at most 255
}

func ExampleDecodeError() {
	_, err := wire.V2{}.Decode(wire.Text, []byte(`["1","7","room:lobby","shout",{"text":}]`))
	fmt.Println(err)
	fmt.Println(errors.Is(err, wire.ErrMalformed))

	_, err = wire.V2{}.Decode(wire.Text, []byte(`["1","7","room:lobby","shout",`+strings.Repeat("[", 100)))
	fmt.Println(errors.Is(err, wire.ErrTooDeep))
	// Output:
	// wire: malformed message: at byte 38: unexpected character
	// true
	// true
}

func ExampleCheck() {
	fmt.Println(wire.Check([]byte(`{"a":[1,2]}`)))
	fmt.Println(wire.Check([]byte(`{"a":"\ud800"}`)))
	// Output:
	// <nil>
	// wire: malformed message: at byte 6: lone surrogate in a string
}

func ExampleAppendJSON() {
	text, err := wire.AppendJSON(nil, map[string]string{"html": "<b>&</b>"})
	fmt.Printf("%s %v\n", text, err)
	// Output: {"html":"<b>&</b>"} <nil>
}

func ExampleAppendString() {
	fmt.Printf("%s\n", wire.AppendString(nil, "a \"quote\" & a\nline"))
	// Output: "a \"quote\" & a\nline"
}

func ExampleCompact() {
	text, err := wire.Compact([]byte(`{ "path" : "\/caf\u00e9" }`))
	fmt.Printf("%s %v\n", text, err)
	// Output: {"path":"/café"} <nil>
}

func ExampleIsCompact() {
	fmt.Println(wire.IsCompact([]byte(`{"a":1}`)), wire.IsCompact([]byte(`{"a": 1}`)))
	// Output: true false
}

func ExampleRef() {
	m, err := wire.V2{}.Decode(wire.Text, []byte(`[null,1,"t","e",{}]`))
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

func ExampleNewVersions() {
	vs, err := wire.NewVersions(nil) // the defaults
	if err != nil {
		log.Fatal(err)
	}
	for _, vsn := range []string{wire.DefaultVersion, "2.0.0", "2.1.0"} {
		s, ok := vs.Select(vsn)
		fmt.Printf("%s %T %v\n", vsn, s, ok)
	}
	_, err = wire.NewVersions([]wire.Versioned{{Requirement: "~> 2", Serializer: wire.V2{}}})
	fmt.Println(err)
	// Output:
	// 1.0.0 wire.V1 true
	// 2.0.0 wire.V2 true
	// 2.1.0 <nil> false
	// wire: requirement "~> 2": after ~> write two or three numbers without leading zeros, as in "~> 2.0.0", not "2"
}

package transport_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

func ExampleParseQuery() {
	params, err := transport.ParseQuery("vsn=2.0.0&user[name]=Nut&tags[]=a&tags[]=b")
	if err != nil {
		fmt.Println(err)
		return
	}
	vsn, ok := params.String("vsn")
	fmt.Println(vsn, ok)
	fmt.Println(params["user"], params["tags"])
	// Output:
	// 2.0.0 true
	// map[name:Nut] [a b]
}

func ExampleOrigins() {
	check, err := transport.Origins("https://*.example.com", "//localhost")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, origin := range []string{"https://app.example.com", "http://app.example.com", "http://localhost:4000", "null"} {
		r := httptest.NewRequest(http.MethodGet, "/socket/websocket", nil)
		r.Header.Set("Origin", origin)
		fmt.Println(origin, check(r))
	}
	// Output:
	// https://app.example.com true
	// http://app.example.com false
	// http://localhost:4000 true
	// null false
}

func ExampleOrigins_mistake() {
	_, err := transport.Origins("example.com")
	fmt.Println(err)
	// Output:
	// bennu: origin "example.com" has no host: write it with two slashes, like "//example.com" or "https://example.com"
}

func ExampleChecks() {
	checks := transport.Checks{AuthToken: true}

	r := httptest.NewRequest(http.MethodGet, "/tenants/acme/websocket?vsn=2.0.0&tenant=other", nil)
	r.Header.Set("Sec-WebSocket-Protocol", "phoenix, base64url.bearer.phx.c2VjcmV0")
	vars := map[string]string{"tenant": "acme"} // of the mount's path
	info, err := checks.Run(r, vars, transport.WebSocket)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Params["tenant"], *info.AuthToken, info.Subprotocol)

	r.Header.Set("Origin", "https://elsewhere.example")
	_, err = checks.Run(r, vars, transport.WebSocket)
	var refused *transport.StatusError
	fmt.Println(errors.As(err, &refused), err)
	// Output:
	// acme secret phoenix
	// true bennu: origin not allowed (status 403)
}

func ExampleNewFrame() {
	frame := transport.NewFrame(wire.Text, []byte("[]"))
	fmt.Printf("% x\n%s\n", frame.Bytes(), frame.Payload())
	// Output:
	// 81 02 5b 5d
	// []
}

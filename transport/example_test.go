package transport_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

func ExampleParams() {
	// A client has asked for ?vsn=2.0.0&user[name]=Nut&tags[]=a&tags[]=b.
	params := transport.Params{"vsn": "2.0.0", "user": transport.Params{"name": "Nut"}, "tags": []any{"a", "b"}}
	vsn, ok := params.String("vsn")
	fmt.Println(vsn, ok)
	_, ok = params.String("tags") // not a single text
	fmt.Println(ok)
	// Output:
	// 2.0.0 true
	// false
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
	// transport: origin "example.com" has no host: write it with two slashes, like "//example.com" or "https://example.com"
}

func ExampleChecks() {
	origins, err := transport.Origins("https://*.example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	endpoint := bennu.NewEndpoint(nil)
	endpoint.Socket("/socket", &bennu.SocketHandler{}, &bennu.SocketOptions{
		Checks: transport.Checks{Origin: origins, AuthToken: true},
	})

	r := httptest.NewRequest(http.MethodGet, "/socket/websocket?vsn=2.0.0", nil)
	r.Header.Set("Origin", "https://elsewhere.example")
	w := httptest.NewRecorder()
	endpoint.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output:
	// 403
}

func ExampleNewFrame() {
	frame := transport.NewFrame(wire.Text, []byte("[]"))
	fmt.Printf("% x\n%s\n", frame.Bytes(), frame.Payload())
	// Output:
	// 81 02 5b 5d
	// []
}

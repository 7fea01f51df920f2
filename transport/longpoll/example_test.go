package longpoll_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// A socket over both transports, and a client that polls.
func ExampleNew() {
	endpoint := bennu.NewEndpoint(nil)
	endpoint.Socket("/socket", &bennu.SocketHandler{}, &bennu.SocketOptions{Transports: []transport.Transport{
		websocket.New(nil),
		longpoll.New(&longpoll.Options{Window: 20 * time.Second}),
	}})
	web := httptest.NewServer(endpoint)
	defer web.Close()

	var token string
	request := func(method, body string) {
		r, _ := http.NewRequest(method, web.URL+"/socket/longpoll?vsn=2.0.0", strings.NewReader(body))
		r.Header.Set("X-Phoenix-Longpoll-Token", token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer response.Body.Close()
		var answer struct {
			Status   int
			Token    string
			Messages []string
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			fmt.Println(err)
			return
		}
		if answer.Token != "" {
			token = answer.Token
		}
		fmt.Println(method, answer.Status, answer.Messages)
	}
	request("GET", "") // there is no session yet, so one is made
	request("POST", `[null,"1","phoenix","heartbeat",{}]`)
	request("GET", "")
	// Output:
	// GET 410 []
	// POST 200 []
	// GET 200 [[null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]]
}

package longpoll_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/wire"
)

// shouter answers every message in upper case.
type shouter struct{ conn seam.Conn }

func (s *shouter) Opened(c seam.Conn) { s.conn = c }

func (s *shouter) Receive(op wire.Opcode, data []byte) <-chan struct{} {
	room := make([]byte, seam.Headroom, seam.Headroom+len(data))
	s.conn.Send(seam.Seal(wire.Text, append(room, strings.ToUpper(string(data))...)))
	return nil
}

func (s *shouter) Closed(error) {}

// everyone accepts every connection.
type everyone struct{}

func (everyone) Accept(*transport.ConnectInfo) (seam.Receiver, error) { return &shouter{}, nil }

func Example() {
	server := longpoll.NewServer(nil)
	defer server.Close(transport.CloseRestart)
	handler, err := server.Handler(everyone{}, nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.Serve(w, r, nil)
	}))
	defer web.Close()

	var token string
	request := func(method, body string) {
		r, _ := http.NewRequest(method, web.URL, strings.NewReader(body))
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
	request("POST", "hello")
	request("GET", "")
	// Output:
	// GET 410 []
	// POST 200 []
	// GET 200 [HELLO]
}

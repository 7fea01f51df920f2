package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
)

// exampleRoom is the state of a joined topic of the example server.
type exampleRoom struct{ *bennu.Channel }

type shout struct {
	Text string `json:"text"`
}

// exampleServer has rooms that add numbers and pass shouts on.
func exampleServer() (url string, stop func()) {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Payload) (*exampleRoom, bennu.Reply, error) {
		if ch.Topic() == "room:secret" {
			return nil, bennu.Reply{}, &bennu.Error{Reason: "members only"}
		}
		return &exampleRoom{ch}, bennu.Reply{Response: shout{"welcome"}}, nil
	})
	bennu.On(d, "sum", func(_ *exampleRoom, _ context.Context, in []int) (int, error) {
		sum := 0
		for _, n := range in {
			sum += n
		}
		return sum, nil
	})
	bennu.On(d, "shout", func(r *exampleRoom, _ context.Context, in shout) (bennu.Empty, error) {
		return bennu.Empty{}, r.Broadcast("shout", in)
	})
	bennu.On(d, "reverse", func(_ *exampleRoom, _ context.Context, in []byte) ([]byte, error) {
		out := make([]byte, 0, len(in))
		for i := range in {
			out = append(out, in[len(in)-1-i])
		}
		return out, nil
	})
	bennu.On(d, "crash", func(*exampleRoom, context.Context, bennu.Payload) (bennu.NoReply, error) {
		return bennu.NoReply{}, bennu.Crash
	})
	bennu.On(d, "end", func(*exampleRoom, context.Context, bennu.Payload) (bennu.NoReply, error) {
		return bennu.NoReply{}, bennu.Stop
	})
	var users bennu.SocketHandler
	users.Channel("room:*", d)
	endpoint := bennu.NewEndpoint(&bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler), DrainTime: bennu.Unlimited})
	endpoint.Socket("/socket", &users, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(nil), longpoll.New(nil)}})
	server := httptest.NewServer(endpoint)
	return server.URL + "/socket", func() {
		_ = endpoint.Shutdown(context.Background())
		server.CloseClientConnections()
		server.Close()
	}
}

// exampleChannel is a channel of the example server that is joined.
func exampleChannel() (ch *client.Channel, stop func()) {
	url, stopServer := exampleServer()
	socket, err := client.Dial(context.Background(), url, nil)
	if err != nil {
		fmt.Println(err)
		return nil, stopServer
	}
	ch = socket.Channel("room:lobby", nil)
	if _, err := ch.Join(context.Background()); err != nil {
		fmt.Println(err)
	}
	return ch, func() {
		_ = socket.Close()
		stopServer()
	}
}

func ExampleDial() {
	url, stop := exampleServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	socket, err := client.Dial(ctx, url, &client.Options{Params: map[string]any{"name": "ada"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer socket.Close()

	welcome, err := client.Join[shout](ctx, socket.Channel("room:lobby", nil))
	fmt.Println(welcome.Text, err)
	_, err = socket.Channel("room:secret", nil).Join(ctx)
	fmt.Println(err)
	// Output:
	// welcome <nil>
	// client: the server replied with status "error": members only
}

// New does not connect, so it is no error if the server does not run yet.
func ExampleNew() {
	url, stop := exampleServer()
	defer stop()
	socket, err := client.New(url, &client.Options{Transport: "longpoll"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer socket.Close()
	socket.Connect()
	fmt.Println(socket.Open(context.Background()))

	_, err = socket.Ping(context.Background())
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
}

func ExampleSocket_Done() {
	url, stop := exampleServer()
	defer stop()
	socket, err := client.Dial(context.Background(), url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	go socket.Close()
	<-socket.Done()
	fmt.Println(socket.Err())
	_ = socket.Close() // waits for the goroutines
	// Output: client: socket is closed
}

func ExamplePush() {
	ch, stop := exampleChannel()
	defer stop()
	sum, err := client.Push[int](context.Background(), ch, "sum", []int{1, 2, 3})
	fmt.Println(sum, err)
	// Output: 6 <nil>
}

// A []byte is sent as bytes, and a reply of bytes is received as one.
func ExamplePush_binary() {
	ch, stop := exampleChannel()
	defer stop()
	reply, err := client.Push[[]byte](context.Background(), ch, "reverse", []byte("abc"))
	fmt.Printf("%s %v\n", reply, err)
	// Output: cba <nil>
}

func ExampleOn() {
	ch, stop := exampleChannel()
	defer stop()
	heard := make(chan string)
	off := client.On(ch, "shout", func(s shout) { heard <- s.Text })
	defer off()
	_ = ch.Send("shout", shout{"hello"})
	fmt.Println(<-heard)
	// Output: hello
}

func ExampleChannel_Events() {
	ch, stop := exampleChannel()
	defer stop()
	shouts := ch.Events(context.Background(), "shout")
	_ = ch.Send("shout", shout{"one"})
	_ = ch.Send("shout", shout{"two"})
	_ = ch.Send("end", nil)
	for m, err := range shouts {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(string(m.Payload.Data))
	}
	// Output:
	// {"text":"one"}
	// {"text":"two"}
	// client: the server closed the channel
}

func ExampleChannel_OnError() {
	ch, stop := exampleChannel()
	defer stop()
	down := make(chan error, 1)
	ch.OnError(func(err error) { down <- err })
	_, err := ch.Push(context.Background(), "crash", nil)
	fmt.Println(err)
	fmt.Println(<-down)
	// The channel joins again, and the push waits until it has.
	sum, err := client.Push[int](context.Background(), ch, "sum", []int{4, 5})
	fmt.Println(sum, err)
	// Output:
	// client: interrupted before the reply: client: the channel crashed: channel_crash
	// client: the channel crashed: channel_crash
	// 9 <nil>
}

func ExampleChannel_Leave() {
	ch, stop := exampleChannel()
	defer stop()
	ch.OnClose(func(err error) { fmt.Println("closed:", err) })
	fmt.Println(ch.State())
	_ = ch.Leave(context.Background())
	fmt.Println(ch.State())
	_, err := ch.Push(context.Background(), "sum", []int{1})
	fmt.Println(errors.Is(err, client.ErrLeft))
	_ = ch.Socket().Close() // waits for the callback
	// Unordered output:
	// joined
	// closed
	// true
	// closed: client: channel was left
}

func ExampleTrace() {
	url, stop := exampleServer()
	defer stop()
	socket, err := client.Dial(context.Background(), url, &client.Options{Trace: &client.Trace{
		Open:     func(a client.Attempt) { fmt.Println("open by", a.Transport) },
		Sent:     func(f client.Frame) { fmt.Printf("> %s\n", f.Data) },
		Received: func(f client.Frame) { fmt.Printf("< %s\n", f.Data) },
		Closed:   func(c client.Closed) { fmt.Println(c.Err) },
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = socket.Channel("room:lobby", nil).Join(context.Background())
	_ = socket.Close()
	// Output:
	// open by websocket
	// > ["1","1","room:lobby","phx_join",{}]
	// < ["1","1","room:lobby","phx_reply",{"response":{"text":"welcome"},"status":"ok"}]
	// client: socket is closed
}

package main

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bennu-go/bennu/client"
)

// ask is the code of another Go program: it joins the topic of a server and pings it.
func ask(ctx context.Context, url string) (pong, error) {
	socket, err := client.Dial(ctx, url, nil)
	if err != nil {
		return pong{}, err
	}
	defer socket.Close()
	channel := socket.Channel("ping:lobby", nil)
	if _, err := channel.Join(ctx); err != nil {
		return pong{}, err
	}
	return client.Push[pong](ctx, channel, "ping", nil)
}

func TestGoClient(t *testing.T) {
	endpoint := newEndpoint()
	server := httptest.NewServer(endpoint)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	got, err := ask(ctx, server.URL+"/socket")
	if err != nil || got.Ping != "pong" {
		t.Errorf("got %+v and %v", got, err)
	}
	if err := endpoint.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	server.Close()
}

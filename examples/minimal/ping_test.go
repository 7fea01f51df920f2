package main

import (
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) { waittest.Main(m) }

func TestPing(t *testing.T) {
	endpoint := channeltest.Start(t, newEndpoint())
	channel := endpoint.Connect(t, nil).Join(t, "ping:lobby", nil)
	channel.Push(t, "ping", nil).ExpectReply(t, bennu.Raw(`{"ping":"pong"}`))
}

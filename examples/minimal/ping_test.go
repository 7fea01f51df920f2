package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPing(t *testing.T) {
	endpoint := channeltest.Start(t, newEndpoint())
	channel := endpoint.Connect(t, nil).Join(t, "ping:lobby", nil)
	channel.Push(t, "ping", nil).ExpectReply(t, bennu.Raw(`{"ping":"pong"}`))
}

package bennu_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/longpoll"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

// uncomparable is a serializer that cannot be compared with ==.
type uncomparable struct {
	wire.Serializer
	_ func()
}

// TestOptionsBeyondSense gives each option what cannot be meant: it is refused at start, with a
// sentence that names the option.
func TestOptionsBeyondSense(t *testing.T) {
	const most, long = 1<<30 + 1, 366 * 24 * time.Hour
	limits := func(l bennu.Limits) func() { return func() { start(nil, &bennu.SocketHandler{Limits: l}, nil) } }
	node := func(l bennu.NodeLimits) func() { return func() { start(&bennu.EndpointOptions{Limits: l}, nil, nil) } }
	polls := func(o longpoll.Options) func() {
		return func() {
			start(nil, nil, &bennu.SocketOptions{Transports: over(nil, &o)})
		}
	}
	for name, give := range map[string]func(){
		"Limits.Topics":          limits(bennu.Limits{Topics: most}),
		"Limits.MailboxMessages": limits(bennu.Limits{MailboxMessages: math.MaxInt}),
		"Limits.MailboxBytes":    limits(bennu.Limits{MailboxBytes: most}),
		"Limits.JoinBurst":       limits(bennu.Limits{JoinBurst: -2}),
		"Limits.JoinRate":        limits(bennu.Limits{JoinRate: most}),
		"Limits.MessageTokens":   limits(bennu.Limits{MessageTokens: most}),
		"Limits.MessageRate":     limits(bennu.Limits{MessageRate: most}),
		"Limits.LateCallbacks":   limits(bennu.Limits{LateCallbacks: most}),
		"Limits.ConnectTimeout":  limits(bennu.Limits{ConnectTimeout: long}),
		"Limits.JoinTimeout":     limits(bennu.Limits{JoinTimeout: math.MaxInt64}),
		"Limits.HandlerGrace":    limits(bennu.Limits{HandlerGrace: -time.Second}),
		"ExpiryGrace":            func() { start(nil, &bennu.SocketHandler{ExpiryGrace: long}, nil) },
		"Limits.Connections":     node(bennu.NodeLimits{Connections: most}),
		"Limits.PerAddress":      node(bennu.NodeLimits{PerAddress: math.MinInt}),
		"Limits.Connects":        node(bennu.NodeLimits{Connects: most}),
		"Limits.Joins":           node(bennu.NodeLimits{Joins: most}),
		"Limits.PostBytes":       node(bennu.NodeLimits{PostBytes: most}),
		"DrainTime":              func() { start(&bennu.EndpointOptions{DrainTime: math.MaxInt64}, nil, nil) },
		"Secret":                 func() { start(&bennu.EndpointOptions{Secret: []byte("abc")}, nil, nil) },
		"MaxBatch":               polls(longpoll.Options{MaxBatch: most}),
		"BodyTimeout":            polls(longpoll.Options{BodyTimeout: long}),
		"TokenAge":               polls(longpoll.Options{TokenAge: math.MaxInt64}),
		"Window":                 polls(longpoll.Options{Window: long}),
		"IdleTimeout": func() {
			start(nil, nil, &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{IdleTimeout: math.MaxInt64})}})
		},
		"uncomparable": func() {
			start(nil, &bennu.SocketHandler{Serializers: []wire.Versioned{{Requirement: "~> 2.0.0", Serializer: uncomparable{}}}}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, name) || !strings.Contains(text, ".go:") {
					t.Errorf("panic: %s", text)
				}
			}()
			give()
		})
	}
	start(&bennu.EndpointOptions{Secret: []byte("sixteen bytes ok"), DrainTime: bennu.Unlimited}, &bennu.SocketHandler{
		Limits:      bennu.Limits{Topics: bennu.Unlimited, JoinTimeout: bennu.Unlimited, MessageTokens: bennu.Unlimited, HandlerGrace: 365 * 24 * time.Hour},
		Serializers: []wire.Versioned{{Requirement: "~> 2.0.0", Serializer: &uncomparable{}}},
	}, nil)
}

// start makes an endpoint with a mount.
func start(options *bennu.EndpointOptions, users *bennu.SocketHandler, mount *bennu.SocketOptions) {
	if users == nil {
		users = &bennu.SocketHandler{}
	}
	bennu.NewEndpoint(options).Socket("/socket", users, mount)
}

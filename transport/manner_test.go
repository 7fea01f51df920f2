package transport

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/internal/unexported"
)

// How the clients of transports ask for a connection: those of this module, and those of others.
var (
	webSocket = &unexported.Manner{Transport: "websocket", Offers: true}
	longPoll  = &unexported.Manner{Transport: "longpoll", HeaderToken: true, SessionToken: true}
	other     = &unexported.Manner{Transport: "lines", HeaderToken: true, Offers: true}
)

// A transport of others takes the token from the header, or from the subprotocols.
func TestTokenOfOtherTransports(t *testing.T) {
	for name, tt := range map[string]struct {
		header, offers string
		want           string
		err            error
	}{
		"neither":     {"", "", "", ErrNoAuthToken},
		"header":      {"abc", "", "abc", nil},
		"subprotocol": {"", bearer + encode("abc"), "abc", nil},
		"both":        {"abc", bearer + encode("abc"), "abc", nil},
		"two":         {"abc", bearer + encode("def"), "", refused.ErrTokenTwice},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if tt.header != "" {
				r.Header.Set("X-Phoenix-AuthToken", tt.header)
			}
			if tt.offers != "" {
				r.Header.Set("Sec-WebSocket-Protocol", "phoenix, "+tt.offers)
			}
			info, err := (&Checks{AuthToken: true}).run(r, nil, other)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if info.AuthToken != nil {
				got = *info.AuthToken
			}
			if got != tt.want || !errors.Is(info.AuthTokenErr(), tt.err) {
				t.Errorf("%q, %v", got, info.AuthTokenErr())
			}
		})
	}
}

package transport

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/refused"
)

const bearer = "base64url.bearer.phx."

// TestSubprotocol covers subprotocols and tokens together, as they share a
// header.
func TestSubprotocol(t *testing.T) {
	text := func(s string) *string { return &s }
	foo := []string{"foo", "bar"}
	tests := []struct {
		name       string
		auth       bool
		configured []string
		lines      []string // of Sec-WebSocket-Protocol
		want       string   // echoed
		token      *string
		after      []string // lines the application sees
		err        error
	}{
		{name: "nothing at all"},
		{name: "not configured", lines: []string{"foo, bar"}, after: []string{"foo, bar"}},
		{name: "not configured, token offered", lines: []string{"phoenix, " + bearer + "YWJj"}, after: []string{"phoenix, " + bearer + "YWJj"}},
		{name: "not configured, bad token offered", lines: []string{bearer + "!"}, after: []string{bearer + "!"}},
		{name: "absent", configured: foo},
		{name: "first of the server", configured: foo, lines: []string{"x,bar,\tfoo ,"}, want: "foo", after: []string{"x,bar,\tfoo ,"}},
		{name: "only match", configured: foo, lines: []string{"bar"}, want: "bar", after: []string{"bar"}},
		{name: "no match", configured: foo, lines: []string{"baz"}, err: refused.ErrSubprotocol},
		{name: "case", configured: foo, lines: []string{"Foo"}, err: refused.ErrSubprotocol},
		{name: "part of a name", configured: foo, lines: []string{"foobar, fo"}, err: refused.ErrSubprotocol},
		{name: "empty header", configured: foo, lines: []string{""}, err: refused.ErrSubprotocol},
		{name: "only commas", configured: foo, lines: []string{" , ,"}, err: refused.ErrSubprotocol},
		{name: "second line", configured: foo, lines: []string{"baz", "foo"}, want: "foo", after: []string{"baz", "foo"}},
		{name: "no match in two lines", configured: foo, lines: []string{"baz", "x"}, err: refused.ErrSubprotocol},
		{name: "first line suffices", configured: foo, lines: []string{"foo", "baz"}, want: "foo", after: []string{"foo", "baz"}},
		{name: "none configured, absent", configured: []string{}},
		{name: "none configured, offered", configured: []string{}, lines: []string{"foo"}, err: refused.ErrSubprotocol},

		{name: "auth, no header", auth: true},
		{name: "auth, phoenix.js", auth: true, lines: []string{"phoenix, " + bearer + "dMO2ay9lbj8+"}, want: "phoenix", token: text("tök/en?>"), after: []string{"phoenix"}},
		{name: "auth, URL alphabet", auth: true, lines: []string{"phoenix, " + bearer + "dMO2ay9lbj8-"}, want: "phoenix", token: text("tök/en?>"), after: []string{"phoenix"}},
		{name: "auth, token first", auth: true, lines: []string{bearer + "YWJj,phoenix"}, want: "phoenix", token: text("abc"), after: []string{"phoenix"}},
		{name: "auth, padded", auth: true, lines: []string{"phoenix, " + bearer + "YWI="}, want: "phoenix", token: text("ab"), after: []string{"phoenix"}},
		{name: "auth, unpadded", auth: true, lines: []string{"phoenix, " + bearer + "YWI"}, want: "phoenix", token: text("ab"), after: []string{"phoenix"}},
		{name: "auth, empty token", auth: true, lines: []string{"phoenix, " + bearer}, want: "phoenix", token: text(""), after: []string{"phoenix"}},
		{name: "auth, token alone", auth: true, lines: []string{bearer + "YWJj"}, token: text("abc")},
		{name: "auth, token alone on its line", auth: true, lines: []string{bearer + "YWJj", "phoenix"}, want: "phoenix", token: text("abc"), after: []string{"phoenix"}},
		{name: "auth, tokens on two lines", auth: true, lines: []string{"phoenix, " + bearer + "YWJj", bearer + "YWJj"}, want: "phoenix", token: text("abc"), after: []string{"phoenix"}},
		{name: "auth, two tokens", auth: true, lines: []string{"phoenix, " + bearer + "YWJj, " + bearer + "ZGVm"}, want: "phoenix", after: []string{"phoenix, " + bearer + "YWJj, " + bearer + "ZGVm"}},
		{name: "auth, two tokens, one bad", auth: true, lines: []string{"phoenix, " + bearer + "YWJj, " + bearer + "!"}, want: "phoenix", after: []string{"phoenix, " + bearer + "YWJj, " + bearer + "!"}},
		{name: "auth, two tokens alone", auth: true, lines: []string{bearer + "YWJj, " + bearer + "ZGVm"}, err: refused.ErrSubprotocol},
		{name: "auth, token on the second line", auth: true, lines: []string{"phoenix", bearer + "YWJj"}, want: "phoenix", token: text("abc"), after: []string{"phoenix"}},
		{name: "auth, token on the second line, and more", auth: true, lines: []string{"phoenix, x", "y, " + bearer + "YWJj"}, want: "phoenix", token: text("abc"), after: []string{"phoenix, x, y"}},
		{name: "auth, bad token on the second line", auth: true, lines: []string{"phoenix", bearer + "!"}, err: refused.ErrTokenForm},
		{name: "auth, prefix in other case", auth: true, lines: []string{"phoenix, Base64url.bearer.phx.YWJj"}, want: "phoenix", after: []string{"phoenix, Base64url.bearer.phx.YWJj"}},
		{name: "auth, no token", auth: true, lines: []string{"phoenix"}, want: "phoenix", after: []string{"phoenix"}},
		{name: "auth, empty header", auth: true, lines: []string{""}, err: refused.ErrSubprotocol},
		{name: "auth, unknown beside token", auth: true, lines: []string{"baz, " + bearer + "YWJj"}, err: refused.ErrSubprotocol},
		{name: "auth, configured too", auth: true, configured: foo, lines: []string{"foo, " + bearer + "YWJj"}, want: "foo", token: text("abc"), after: []string{"foo"}},
		{name: "auth, phoenix comes first", auth: true, configured: foo, lines: []string{"foo ,phoenix, " + bearer + "YWJj, x"}, want: "phoenix", token: text("abc"), after: []string{"foo, phoenix, x"}},
		{name: "auth, bad token", auth: true, lines: []string{"phoenix, " + bearer + "!!"}, err: refused.ErrTokenForm},
		{name: "auth, bad token alone", auth: true, lines: []string{bearer + "a"}, err: refused.ErrTokenForm},
		{name: "auth, bad padding", auth: true, lines: []string{"phoenix, " + bearer + "YWJj="}, err: refused.ErrTokenForm},
		{name: "auth, space in token", auth: true, lines: []string{"phoenix, " + bearer + "YW Jj"}, err: refused.ErrTokenForm},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if tt.lines != nil {
				r.Header[protocolHeader] = slices.Clone(tt.lines)
			}
			c := &Checks{AuthToken: tt.auth, Subprotocols: tt.configured}
			info, err := c.run(r, nil, webSocket)
			if tt.err != nil {
				var status *StatusError
				if !errors.Is(err, tt.err) || !errors.As(err, &status) || status.Status != http.StatusForbidden || info != nil {
					t.Fatalf("Run = %v, %v, want %v with 403", info, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if info.Subprotocol != tt.want {
				t.Errorf("Subprotocol = %q, want %q", info.Subprotocol, tt.want)
			}
			switch {
			case (info.AuthToken == nil) != (tt.token == nil):
				t.Errorf("AuthToken = %v, want %v", info.AuthToken, tt.token)
			case tt.token != nil && *info.AuthToken != *tt.token:
				t.Errorf("AuthToken = %q, want %q", *info.AuthToken, *tt.token)
			}
			after := info.Header()[protocolHeader]
			if !slices.Equal(after, tt.after) {
				t.Errorf("the application sees %q, want %q", after, tt.after)
			}
			if !slices.Equal(r.Header[protocolHeader], tt.lines) {
				t.Errorf("the request was changed to %q", r.Header[protocolHeader])
			}
		})
	}
}

func TestDecodeToken(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for n := range all {
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			if got, err := decodeToken(enc.EncodeToString(all[n:])); err != nil || got != string(all[n:]) {
				t.Fatalf("from %d: %q, %v", n, got, err)
			}
		}
	}
	for _, bad := range []string{"a", "=", "==", "YQ=", "YQ===", "Y=Q=", "YWJj=", "YW\nJj", "YWJj\r\n", " YWJj", "YWJj ", "YW.j", "é", "\x00"} {
		got, err := decodeToken(bad)
		if !errors.Is(err, refused.ErrTokenForm) || got != "" {
			t.Errorf("decodeToken(%q) = %q, %v", bad, got, err)
		} else if bad := strings.TrimSpace(bad); len(bad) > 3 && strings.Contains(err.Error(), bad) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}

package transport

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/refused"
	"github.com/bennu-go/bennu/internal/unexported"
)

// A request says its token in the query, in the header of its transport, or in both.
func TestTokenParam(t *testing.T) {
	const none = "none"
	for _, tt := range []struct {
		name, query string
		header      string // the token where authToken goes; "" is none
		auth        bool
		want        string // AuthToken
		err, reason error  // of Run, and of AuthTokenErr
	}{
		{name: "given", query: "user=abc", want: "abc"},
		{name: "given, both ways allowed", query: "user=abc", auth: true, want: "abc"},
		{name: "escaped", query: "%75ser=a%2Bb+c%3D", want: "a+b c="},
		{name: "any bytes", query: "user=t%C3%B6k%00", want: "t\u00f6k\x00"},
		{name: "missing", query: "", want: none, reason: ErrNoAuthToken},
		{name: "under another name", query: "authToken=abc", want: none, reason: refused.ErrTokenElsewhere},
		{name: "empty", query: "user=", want: "", reason: refused.ErrTokenEmpty},
		{name: "without a value", query: "user", want: "", reason: refused.ErrTokenEmpty},
		{name: "in the header", header: "abc", auth: true, want: "abc"},
		{name: "in a header that is not looked at", header: "abc", want: none, reason: ErrNoAuthToken},
		{name: "both, the same", query: "user=abc", header: "abc", auth: true, want: "abc"},
		{name: "both, and they differ", query: "user=abc", header: "def", auth: true, err: refused.ErrTokenTwice},
		{name: "both, one empty", query: "user=", header: "def", auth: true, err: refused.ErrTokenTwice},
		{name: "twice", query: "user=abc&user=def", err: refused.ErrTokenTwice},
		{name: "twice the same", query: "user=abc&x=1&user=abc", err: refused.ErrTokenTwice},
		{name: "twice, escaped", query: "user=abc&us%65r=abc", err: refused.ErrTokenTwice},
		{name: "a map", query: "user[a]=b", err: refused.ErrTokenParam},
		{name: "a list", query: "user[]=abc", err: refused.ErrTokenParam},
		{name: "a list, escaped", query: "user%5B%5D=abc", err: refused.ErrTokenParam},
		{name: "a map behind a text", query: "user=abc&user[a]=b", err: refused.ErrTokenParam},
		{name: "in another case", query: "User=abc", want: none, reason: ErrNoAuthToken},
	} {
		for _, transport := range []*unexported.Manner{webSocket, longPoll} {
			t.Run(tt.name+" "+transport.Transport, func(t *testing.T) {
				r := httptest.NewRequest(http.MethodGet, "/?vsn=2.0.0&"+tt.query+"&x[y]=1", nil)
				if tt.header != "" && transport == webSocket {
					r.Header.Set("Sec-WebSocket-Protocol", "phoenix, "+bearer+encode(tt.header))
				} else if tt.header != "" {
					r.Header.Set("X-Phoenix-AuthToken", tt.header)
				}
				checks := &Checks{AuthToken: tt.auth, TokenParam: "user"}
				info, err := checks.run(r, nil, transport)
				if tt.err != nil {
					wantStatus(t, err, http.StatusForbidden, tt.err)
					if info != nil {
						t.Error("there is an info beside the error")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got := none
				if info.AuthToken != nil {
					got = *info.AuthToken
				}
				if reason := info.AuthTokenErr(); got != tt.want || !errors.Is(reason, tt.reason) {
					t.Errorf("AuthToken %q, %v, want %q, %v", got, reason, tt.want, tt.reason)
				}
				if v, ok := info.Params["user"]; ok {
					t.Errorf("it is still a parameter: %v", v)
				}
				if q := info.URI().RawQuery; strings.Contains(q, "abc") && tt.want == "abc" || !strings.HasPrefix(q, "vsn=2.0.0&") || !strings.HasSuffix(q, "x[y]=1") {
					t.Errorf("the query is %q", q)
				}
			})
		}
	}
}

func encode(token string) string {
	return strings.NewReplacer("abc", "YWJj", "def", "ZGVm").Replace(token)
}

// Clients of long-poll that send no header for it have the token of their session under the
// name "token", behind their parameters.
func TestTokenParamOfASession(t *testing.T) {
	for _, tt := range []struct {
		query, token, session string
		err                   error
	}{
		{"token=mine&vsn=2.0.0&", "mine", "mine", nil}, // either, as the server cannot tell
		{"token=mine&vsn=2.0.0&token=session", "mine", "session", nil},
		{"token=mine&token=session&token=more", "", "", refused.ErrTokenTwice},
		{"token[]=mine&token=session", "", "", refused.ErrTokenParam},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?"+tt.query, nil)
		info, err := (&Checks{TokenParam: "token"}).run(r, nil, longPoll)
		if tt.err != nil {
			wantStatus(t, err, http.StatusForbidden, tt.err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if session, _ := info.Params.String("token"); info.AuthToken == nil || *info.AuthToken != tt.token || session != tt.session {
			t.Errorf("%s: token %v, of the session %q", tt.query, info.AuthToken, session)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/?token=mine&token=session", nil)
	if _, err := (&Checks{TokenParam: "token"}).run(r, nil, webSocket); !errors.Is(err, refused.ErrTokenTwice) {
		t.Errorf("over WebSocket: %v", err)
	}
}

func TestAuthTokenErr(t *testing.T) {
	token, empty := "abc", ""
	for _, tt := range []struct {
		name      string
		checks    Checks
		transport *unexported.Manner
		query     string
		header    string // a line
		want      error
	}{
		{"off", Checks{}, webSocket, "", "Sec-WebSocket-Protocol: phoenix, " + bearer + "YWJj", refused.ErrTokenOff},
		{"off", Checks{}, longPoll, "", "X-Phoenix-AuthToken: abc", refused.ErrTokenOff},
		{"none", Checks{AuthToken: true}, webSocket, "a=b", "", ErrNoAuthToken},
		{"none", Checks{AuthToken: true}, longPoll, "a=b", "", ErrNoAuthToken},
		{"the session's", Checks{AuthToken: true}, longPoll, "token=abc", "", ErrNoAuthToken},
		{"a parameter", Checks{AuthToken: true}, webSocket, "token=abc", "", refused.ErrTokenElsewhere},
		{"another parameter", Checks{AuthToken: true}, longPoll, "auth_token=abc", "", refused.ErrTokenElsewhere},
		{"the header of long-poll", Checks{AuthToken: true}, webSocket, "", "X-Phoenix-AuthToken: abc", refused.ErrTokenElsewhere},
		{"the header of WebSocket", Checks{AuthToken: true}, longPoll, "", "Sec-WebSocket-Protocol: phoenix, " + bearer + "YWJj", refused.ErrTokenElsewhere},
		{"the header of HTTP", Checks{AuthToken: true}, webSocket, "", "Authorization: Bearer abc", refused.ErrTokenElsewhere},
		{"the same twice", Checks{AuthToken: true}, webSocket, "", "Sec-WebSocket-Protocol: " + bearer + "YWI, phoenix, " + bearer + "YWI=", nil},
		{"several", Checks{AuthToken: true}, webSocket, "", "Sec-WebSocket-Protocol: phoenix, " + bearer + "YWJj, " + bearer + "ZGVm", refused.ErrTokenTwice},
		{"empty", Checks{AuthToken: true}, webSocket, "", "Sec-WebSocket-Protocol: phoenix, " + bearer, refused.ErrTokenEmpty},
		{"empty", Checks{AuthToken: true}, longPoll, "", "X-Phoenix-AuthToken: ", refused.ErrTokenEmpty},
		{"good", Checks{AuthToken: true}, longPoll, "", "X-Phoenix-AuthToken: abc", nil},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?"+tt.query, nil)
		if name, value, ok := strings.Cut(tt.header, ": "); ok {
			r.Header.Set(name, value)
		}
		info, err := tt.checks.run(r, nil, tt.transport)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.AuthTokenErr(); !errors.Is(got, tt.want) {
			t.Errorf("%s over %s: %v, want %v", tt.name, tt.transport.Transport, got, tt.want)
		} else if got != nil && strings.Contains(got.Error(), "abc") {
			t.Errorf("%s: the error quotes the token: %v", tt.name, got)
		}
	}
	for info, want := range map[*ConnectInfo]error{{}: ErrNoAuthToken, {AuthToken: &token}: nil, {AuthToken: &empty}: refused.ErrTokenEmpty} {
		if got := info.AuthTokenErr(); !errors.Is(got, want) {
			t.Errorf("made by hand: %v, want %v", got, want)
		}
	}
}

func TestTokenParamNames(t *testing.T) {
	for _, name := range []string{"", "token", "userToken", "auth-token", "a.b", "x1"} {
		if err := (&Checks{TokenParam: name}).validate(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"vsn": "use for something else", "_csrf_token": "use for something else", "a[b]": "use letters", " token": "use letters", "a&b": "use letters", "t\u00f6ken": "use letters", "?token=": "use letters",
	} {
		if err := (&Checks{TokenParam: name}).validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", name, err, want)
		}
	}
}

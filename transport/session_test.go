package transport

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/unexported"
)

func TestSessionIsShownOnlyToTheApplicationsOwnPages(t *testing.T) {
	const cookie = "s3ss10n"
	check := SessionCheck{
		Read: func(r *http.Request) (map[string]any, bool) {
			c, err := r.Cookie("app")
			if err != nil || c.Value != cookie {
				return nil, false
			}
			return map[string]any{"user": "ada"}, true
		},
		CSRF: func(_ map[string]any, token string) bool { return token == "good" },
	}
	skip := check
	skip.InsecureSkipCSRFCheck = true
	for _, c := range []struct {
		name   string
		check  *SessionCheck
		query  string
		header string
		shown  bool
	}{
		{"everything right", &check, "_csrf_token=good", "Cookie: app=s3ss10n|Origin: http://example.com", true},
		{"fetched by the page itself", &check, "_csrf_token=good", "Cookie: app=s3ss10n|Sec-Fetch-Site: same-origin", true},
		{"not asked for", nil, "_csrf_token=good", "Cookie: app=s3ss10n|Origin: http://example.com", false},
		{"no cookie", &check, "_csrf_token=good", "Origin: http://example.com", false},
		{"cookie that does not verify", &check, "_csrf_token=good", "Cookie: app=x|Origin: http://example.com", false},
		{"no token", &check, "", "Cookie: app=s3ss10n|Origin: http://example.com", false},
		{"wrong token", &check, "_csrf_token=bad", "Cookie: app=s3ss10n|Origin: http://example.com", false},
		{"token as a list", &check, "_csrf_token[]=good", "Cookie: app=s3ss10n|Origin: http://example.com", false},
		{"no sign of a browser", &check, "_csrf_token=good", "Cookie: app=s3ss10n", false},
		{"typed in", &check, "_csrf_token=good", "Cookie: app=s3ss10n|Sec-Fetch-Site: none", false},
		{"check of the token skipped", &skip, "", "Cookie: app=s3ss10n|Origin: http://example.com", true},
		{"skipped, and no sign of a browser", &skip, "", "Cookie: app=s3ss10n", false},
	} {
		for _, transport := range []*unexported.Manner{webSocket, longPoll} {
			r := httptest.NewRequest("GET", "http://example.com/socket?"+c.query, nil)
			for line := range strings.SplitSeq(c.header, "|") {
				name, value, _ := strings.Cut(line, ": ")
				r.Header.Set(name, value)
			}
			checks := Checks{Session: c.check}
			info, err := checks.run(r, nil, transport)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if shown := info.Session != nil; shown != c.shown {
				t.Errorf("%s over %s: session shown is %v, want %v", c.name, transport.Transport, shown, c.shown)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	read := func(*http.Request) (map[string]any, bool) { return nil, false }
	csrf := func(map[string]any, string) bool { return false }
	for want, c := range map[string]Checks{
		"has no Read": {Session: &SessionCheck{CSRF: csrf}},
		"has no CSRF": {Session: &SessionCheck{Read: read}},
		"both off":    {InsecureSkipOriginCheck: true, Session: &SessionCheck{Read: read, InsecureSkipCSRFCheck: true}},
		"":            {},
		" ":           {Session: &SessionCheck{Read: read, CSRF: csrf}},
		"  ":          {InsecureSkipOriginCheck: true, Session: &SessionCheck{Read: read, CSRF: csrf}},
	} {
		err := c.validate()
		if want = strings.TrimSpace(want); want == "" {
			if err != nil {
				t.Errorf("%+v: %v", c, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

package transport

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/unexported"
)

// TestChecksWithoutOrigin has requests without an Origin header, of browsers and of others.
// The server is http://example.com.
func TestChecksWithoutOrigin(t *testing.T) {
	list := Checks{Origin: mustOrigins(t, "https://pages.test")}
	for _, tt := range []struct {
		name   string
		checks Checks
		header string // lines, separated by |
		ok     bool
	}{
		{"a script or phone", Checks{}, "", true},
		{"fetch of the own page", Checks{}, "Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: cors|Sec-Fetch-Dest: empty|Referer: http://example.com/room", true},
		{"fetch in mode same-origin", Checks{}, "Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: same-origin|Sec-Fetch-Dest: empty", true},
		{"only the site", Checks{}, "Sec-Fetch-Site: same-origin", true},
		{"typed in", Checks{}, "Sec-Fetch-Site: none|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document|Sec-Fetch-User: ?1", true},
		{"behind a proxy that changes Host", list, "Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: cors|Sec-Fetch-Dest: empty|Referer: https://other.test/", true},

		{"image of another site", Checks{}, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: image|Referer: http://evil.test/", false},
		{"the same without Referer", Checks{}, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: image", false},
		{"only the other site", Checks{}, "Sec-Fetch-Site: cross-site", false},
		{"sibling domain", Checks{}, "Sec-Fetch-Site: same-site|Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: image", false},
		{"fetch without CORS of a sibling", Checks{}, "Sec-Fetch-Site: same-site|Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: empty", false},
		{"link of another site", Checks{}, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document", false},
		{"frame of another site", Checks{}, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: iframe", false},
		{"image in the own page", Checks{}, "Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: image", false},
		{"script of the own page", Checks{}, "Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: script", false},
		{"frame of the own page", Checks{}, "Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: iframe", false},
		{"link of the own page", Checks{}, "Sec-Fetch-Site: same-origin|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document", false},
		{"image, mode left out", Checks{}, "Sec-Fetch-Site: same-origin|Sec-Fetch-Dest: image", false},
		{"two sites", Checks{}, "Sec-Fetch-Site: same-origin|Sec-Fetch-Site: cross-site", false},
		{"no known site", Checks{}, "Sec-Fetch-Site: elsewhere", false},
		{"allowed page, but an image", list, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: no-cors|Sec-Fetch-Dest: image|Referer: https://pages.test/", false},

		{"referer of the own page", Checks{}, "Referer: http://example.com/room?a=b", true},
		{"referer of the own page, origin only", Checks{}, "Referer: http://EXAMPLE.com:80/", true},
		{"referer of another site", Checks{}, "Referer: http://evil.test/", false},
		{"referer of another port", Checks{}, "Referer: http://example.com:8080/", false},
		{"referer of another scheme", Checks{}, "Referer: https://example.com/", false},
		{"referer of the own page behind a proxy", Checks{Scheme: func(*http.Request) string { return "https" }}, "Referer: https://example.com/", true},
		{"referer with a user", Checks{}, "Referer: http://example.com@evil.test/", false},
		{"referer of an allowed page", list, "Referer: https://pages.test/a", true},
		{"referer that is not on the list", list, "Referer: http://example.com/", false},
		{"referer of a host", Checks{Origin: mustOrigins(t, "//a.test")}, "Referer: https://a.test:444/", true},
		{"referer of an app", Checks{}, "Referer: android-app://com.example/", true},
		{"referer that is none", Checks{}, "Referer: %zz", true},
		{"empty referer", Checks{}, "Referer: ", true},
		{"handshake of a script", Checks{}, "Referer: http://evil.test/|Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", true},
		{"handshake of another site, its Origin cut", Checks{}, "Sec-Fetch-Site: cross-site|Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", false},
		{"two referers", Checks{}, "Referer: http://example.com/|Referer: http://evil.test/", false},

		{"the origin decides", Checks{}, "Origin: http://example.com|Sec-Fetch-Site: cross-site|Referer: http://evil.test/", true},
		{"the origin decides against", Checks{}, "Origin: http://evil.test|Sec-Fetch-Site: same-origin|Referer: http://example.com/", false},
		{"check switched off", Checks{InsecureSkipOriginCheck: true}, "Sec-Fetch-Site: cross-site|Sec-Fetch-Mode: no-cors|Referer: http://evil.test/", true},
		{"a policy that refuses all without", Checks{Origin: func(*http.Request) bool { return false }}, "Sec-Fetch-Site: same-origin", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
				for _, transport := range []*unexported.Manner{webSocket, longPoll} {
					r := httptest.NewRequest(method, "http://example.com/socket", nil)
					for line := range strings.SplitSeq(tt.header, "|") {
						if name, value, ok := strings.Cut(line, ": "); ok {
							r.Header.Add(name, value)
						}
					}
					_, err := tt.checks.run(r, nil, transport)
					if tt.ok {
						wantStatus(t, err, 0, nil)
					} else {
						wantStatus(t, err, 403, ErrOrigin)
					}
				}
			}
		})
	}
}

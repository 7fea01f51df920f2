package stock

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bennu-go/bennu/internal/notice"
)

func TestStock(t *testing.T) {
	for text, want := range map[string]string{"websocket": "websocket", "WebSocket": "websocket", "LONGPOLL": "longpoll", "sse": "", "": ""} {
		if name, ok := Segment(text); name != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", text, name, ok)
		}
	}
	for text, want := range map[string]notice.Kind{"websocket": notice.NoWebSocket, "longpoll": notice.NoLongPoll} {
		if kind, ok := Absent(text); kind != want || !ok {
			t.Errorf("%q: %v, %v", text, kind, ok)
		}
	}
	if _, ok := Absent("LongPoll"); ok { // a path is matched as it is written
		t.Error("LongPoll is known")
	}
	for query, want := range map[string]bool{"vsn=2.0.0": true, "a=1&vsn=": true, "": false, "xvsn=1": false} {
		if r := httptest.NewRequest(http.MethodGet, "/?"+query, nil); Speaks(r) != want {
			t.Errorf("%q: %v", query, !want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if Upgrades(r) {
		t.Error("a plain request upgrades")
	}
	if r.Header.Set("Upgrade", " WebSocket "); !Upgrades(r) {
		t.Error("an upgrade is none")
	}
}

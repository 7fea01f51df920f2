package clients

import (
	"net/http"
	"testing"

	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/testport"
)

// TestDemoPage has somebody look at the page of "bennu demo" and press its buttons, on a
// desk and on a phone, by day and by night.
func TestDemoPage(t *testing.T) {
	t.Parallel()
	needNode(t)
	needBrowser(t)
	binary := proctest.Build(t, "github.com/bennu-go/bennu/cmd/bennu", "-tags=nobrokers")
	screens := map[string]map[string]string{}
	for _, screen := range []string{"1280/light", "390/dark"} {
		d := &demo{t: t, binary: binary, addr: testport.Addr(t)}
		d.start()
		control := http.NewServeMux()
		control.HandleFunc("POST /stop", func(http.ResponseWriter, *http.Request) {
			if code := d.Stop(t); code != 0 {
				t.Errorf("bennu demo ended with code %d", code)
			}
		})
		control.HandleFunc("POST /start", func(http.ResponseWriter, *http.Request) { d.start() })
		screens[screen] = map[string]string{
			"url":        "http://" + d.addr,
			"controlURL": "http://127.0.0.1:" + serveHTTP(t, control),
		}
	}
	d := startDriver(t, screens, "demo.mjs")
	for screen := range screens {
		t.Run(screen, func(t *testing.T) { d.runAll(t, screen+"/") })
	}
}

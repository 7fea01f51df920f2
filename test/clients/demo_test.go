package clients

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/bennu-go/bennu/internal/proctest"
)

// TestDemoPage has somebody look at the page of "bennu demo" and press its buttons, on a
// desk and on a phone, by day and by night.
func TestDemoPage(t *testing.T) {
	needNode(t)
	needBrowser(t)
	binary := proctest.Build(t, "github.com/bennu-go/bennu/cmd/bennu")
	for _, screen := range [][2]string{{"1280", "light"}, {"390", "dark"}} {
		t.Run(screen[0], func(t *testing.T) {
			d := &demo{t: t, binary: binary, addr: "127.0.0.1:0"}
			d.start()
			control := http.NewServeMux()
			control.HandleFunc("POST /stop", func(http.ResponseWriter, *http.Request) {
				if code := d.Stop(t); code != 0 {
					t.Errorf("bennu demo ended with code %d", code)
				}
			})
			control.HandleFunc("POST /start", func(http.ResponseWriter, *http.Request) { d.start() })
			env, err := json.Marshal(map[string]string{
				"url":        "http://" + d.addr,
				"controlURL": "http://127.0.0.1:" + serveHTTP(t, control),
			})
			if err != nil {
				t.Fatal(err)
			}
			startDriver(t, "demo.mjs", screen[0], screen[1], string(env)).runAll(t)
		})
	}
}

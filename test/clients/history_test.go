package clients

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// historyClients are the stock clients that resume. All of them have what an application needs for
// that; others run the scenarios of scenarios.mjs alone.
var historyClients = []string{"phoenix", "phoenix-1-7", "phoenix-1-6", "phoenix-1-5", "phoenix-1-4"}

// historyTime is how long connections are cut at full size.
const historyTime = 10 * time.Minute

// TestHistory has stock clients in Node whose connections are cut. Each gets each message once, in
// order.
func TestHistory(t *testing.T) {
	t.Parallel()
	needNode(t)
	for _, client := range historyClients {
		for _, transport := range transports {
			t.Run(client+"/"+transport, func(t *testing.T) {
				t.Parallel()
				startDriver(t, startHistorySite(t, "127.0.0.1"), "node.mjs", client, transport, "history.mjs").runAll(t, "")
			})
		}
	}
}

// TestHistoryBrowser does the same in pages of one browser.
func TestHistoryBrowser(t *testing.T) {
	t.Parallel()
	needNode(t)
	needBrowser(t)
	sites := map[string]site{}
	for _, transport := range transports {
		sites["phoenix/"+transport] = startHistorySite(t, "localhost")
	}
	d := startDriver(t, sites, "pages.mjs", "history.mjs")
	t.Run("pages", func(t *testing.T) {
		for name := range sites {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d.runAll(t, name+"/")
			})
		}
	})
}

// startHistorySite starts a server with history, and what stands between it and its clients. The
// page comes from the host. history.mjs lists what the site has.
func startHistorySite(t *testing.T, host string) site {
	t.Helper()
	s := startServer(t, keepingApp)
	cutting := &cutter{
		target: s.addr,
		least:  waittest.Sized(50*time.Millisecond, 100*time.Millisecond),
		most:   waittest.Sized(300*time.Millisecond, 2*time.Second),
	}
	cutting.start(t)
	t.Cleanup(func() { t.Log(cutting) })
	slow := (&cutter{target: s.addr, delay: 20 * time.Millisecond}).start(t)
	control := http.NewServeMux()
	control.HandleFunc("POST /restart", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.restart(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	control.Handle("GET /", http.FileServerFS(os.DirFS(".")))
	page := "http://" + host + ":" + serveHTTP(t, control)
	return site{
		"url":        "ws://" + s.addr + "/socket",
		"cutURL":     "ws://" + cutting.addr + "/socket",
		"slowURL":    "ws://" + slow.addr + "/socket",
		"controlURL": page,
		"pageURL":    page,
		"cutTime":    strconv.FormatInt(waittest.Sized(0, historyTime.Milliseconds()), 10),
	}
}

// keepingApp is the fixture with the history of its topics in memory. It forgets it at a restart.
func keepingApp(logger *slog.Logger) *bennu.Endpoint {
	ps := pubsub.NewLocal()
	log, err := history.New(context.Background(), ps, &history.Options{Topics: app.Topics(false), Logger: logger})
	if err != nil {
		panic(err) // the store is the memory of this process
	}
	e := app.NewPatientWith(bennu.EndpointOptions{PubSub: ps, History: log, Logger: logger})
	e.OnShutdown(log.Close)
	return e
}

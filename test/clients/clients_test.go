// Package clients has only tests: they run the stock JavaScript client of Phoenix
// against the fixture application, in Node and in Chromium. The scenarios are
// in scenarios.mjs, and the same ones run everywhere.
package clients

import (
	"net/http"
	"os"
	"os/exec"
	"testing"

	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/internal/waittest"
)

// require says that the tests must run; without it they are skipped where Node, its
// packages or a browser are missing.
const require = "BENNU_REQUIRE_CLIENTS"

// scenarioTime bounds one scenario as a whole. Each step has a bound of its own,
// in lib.mjs, and tells more when it is passed.
var scenarioTime = 3*waittest.Patience + waittest.Sized(0, historyTime)

var clients = []string{"phoenix", "phoenix-1-7"}

var transports = []string{"websocket", "longpoll"}

func TestNode(t *testing.T) {
	t.Parallel()
	needNode(t)
	for _, client := range clients {
		for _, transport := range transports {
			t.Run(client+"/"+transport, func(t *testing.T) {
				t.Parallel()
				startDriver(t, startSite(t, "127.0.0.1"), "node.mjs", client, transport).runAll(t, "")
			})
		}
	}
}

// TestBrowser has one browser for all. Each client has a server of its own over each
// transport.
func TestBrowser(t *testing.T) {
	t.Parallel()
	needNode(t)
	needBrowser(t)
	sites := map[string]site{}
	for _, client := range clients {
		for _, transport := range transports {
			// The page comes from the origin that the fixture application lets in, and
			// may itself ask only there.
			sites[client+"/"+transport] = startSite(t, "localhost")
		}
	}
	d := startDriver(t, sites, "browser.mjs")
	t.Run("scenarios", func(t *testing.T) {
		for name := range sites {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d.runAll(t, name+"/")
			})
		}
	})
	d.runAll(t, "all/")
}

// A site is the addresses of the servers that scenarios run against; scenarios.mjs lists
// them.
type site map[string]string

// startSite starts servers. The page comes from the host.
func startSite(t *testing.T, host string) site {
	t.Helper()
	s := startServer(t, app.New)
	p := startProxy(t, s.addr, nil)
	hanging := startProxy(t, s.addr, isHandshake)
	blocked := startServer(t, pollsOnly)
	control := http.NewServeMux()
	control.HandleFunc("POST /restart", func(w http.ResponseWriter, r *http.Request) {
		if err := s.restart(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	control.HandleFunc("POST /cut", func(w http.ResponseWriter, r *http.Request) { p.cut() })
	// The page and its scripts come from here and not from the server under test,
	// which is away for a while when it restarts.
	control.Handle("GET /", http.FileServerFS(os.DirFS(".")))
	page := "http://" + host + ":" + serveHTTP(t, control)
	return site{
		"url":        "ws://" + s.addr + "/socket",
		"authURL":    "ws://" + s.addr + "/auth",
		"paramURL":   "ws://" + s.addr + "/param",
		"lastingURL": "ws://" + s.addr + "/lasting",
		"stayingURL": "ws://" + s.addr + "/staying",
		"cutURL":     "ws://" + p.addr + "/socket",
		"hangingURL": "ws://" + hanging.addr + "/socket",
		"blockedURL": "ws://" + blocked.addr + "/socket",
		"controlURL": page,
		"pageURL":    page,
	}
}

// needNode skips or fails the test when Node or its packages are not there.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "Node is not installed")
	}
	if _, err := os.Stat("node_modules/phoenix/package.json"); err != nil {
		missing(t, "the npm packages are not installed")
	}
}

// needBrowser skips or fails the test when there is no Chromium.
func needBrowser(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(chromium()); err != nil {
		missing(t, "there is no Chromium at "+chromium())
	}
}

func chromium() string {
	if path := os.Getenv("BENNU_CHROMIUM"); path != "" {
		return path
	}
	// It has no user interface to draw, which takes half of the other one's time.
	const shell = "/usr/bin/chromium-headless-shell"
	if _, err := os.Stat(shell); err == nil {
		return shell
	}
	return "/usr/bin/chromium"
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv(require) != "" {
		t.Fatalf("%s, and %s is set: run `make deps`", what, require)
	}
	t.Skipf("NOT RUN: %s. `make clients` installs what is needed and runs them.", what)
}

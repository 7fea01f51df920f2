package proxies

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
)

// A kind is a proxy that the tests run.
type kind struct {
	name  string
	files []string // the recipe, in templates; the proxy is told the first
	quit  os.Signal
	// stock is what the proxy has for timeouts when nobody sets any: what
	// nginx is built with, what HAProxy's package for Debian configures.
	stock values
	// needs are lines of the recipe without which it does not work, by how they begin.
	needs []string
	// optional says that the tests may be run without this proxy.
	optional bool
	// logged is what the log has of a request, its path by default.
	logged string
	// says is what the proxy says of a WebSocket in X-Forwarded-Proto, by the page's
	// scheme; the same by default.
	says map[string]string
	// noLimits says that the proxy never cuts a WebSocket that is silent.
	noLimits bool
	// production fills in what names files and ports of the machine that the
	// documentation is for.
	production func(*values)
	// late says that the proxy listens before it has read all of its configuration.
	late bool
	// harmless is a warning about what only the tests do: to listen in plain, too.
	harmless string
	// check and run give the arguments to check the configuration and to run it in
	// the foreground. Without check the proxy does so when it starts.
	check, run func(dir, config string) []string
	// reload has a running proxy take a new configuration. nil means that it looks
	// for one by itself.
	reload func(t *testing.T, p *proxy)
}

// A backend is a server behind a proxy, by its addresses.
type backend struct {
	Addr  string // for clients
	Check string // for the proxy's checks
}

// A site is a host of Caddy.
type site struct{ Address, TLS string }

// values fill a recipe in.
type values struct {
	Name           string    // of the host
	Sites          []site    // the same for Caddy, with what it listens on
	TLS, Plain     string    // addresses to listen on; only tests listen in plain
	Cert, Key, PEM string    // files; the last has both
	Servers        []backend // behind the proxy
	CheckPort      string    // the same of all servers
	Idle           string    // after which a silent WebSocket is cut; "" leaves it to the proxy
	Request        string    // for the header of a request
	Wait           string    // for an answer, where it is not the same as Idle
	StreamDelay    string    // how long WebSockets live on after a reload, where it is to be said
	Dynamic        string    // file with the rest of Traefik's configuration
	Log, Temp      string    // files and folders of a test

	without string // beginning of lines to leave out
}

// documented are the values that docs/proxies.md shows, but for the names of files.
var documented = values{
	Name: "example.com", Idle: "90s", Request: "5s", Wait: "30s", StreamDelay: "5m",
}.behind(backend{"10.0.0.11:4000", "10.0.0.11:4100"}, backend{"10.0.0.12:4000", "10.0.0.12:4100"})

// behind gives the values for other servers.
func (v values) behind(servers ...backend) values {
	v.Servers, v.CheckPort = servers, v.Port(servers[0].Check)
	return v
}

// Port is that of an address.
func (values) Port(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		panic(err)
	}
	return port
}

// documented is the recipe as docs/proxies.md shows it.
func (k *kind) documented(t *testing.T) []byte {
	t.Helper()
	v := documented
	k.production(&v)
	var all []byte
	for _, file := range k.files {
		all = append(all, render(t, file, v)...)
	}
	return all
}

// render fills one file of a recipe in.
func render(t *testing.T, file string, v values) []byte {
	t.Helper()
	recipe, err := template.New(file).Option("missingkey=error").ParseFiles(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := recipe.Execute(&b, v); err != nil {
		t.Fatal(err)
	}
	if v.without == "" {
		return b.Bytes()
	}
	var kept strings.Builder
	left := 0
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(strings.TrimSpace(line), v.without) {
			left++
		} else {
			kept.WriteString(line)
		}
	}
	if left != 1 {
		t.Fatalf("%d lines of %s begin with %q, want one", left, file, v.without)
	}
	return []byte(kept.String())
}

// config is where the first file of the recipe is in the folder of a test.
func (k *kind) config(dir string) string {
	return filepath.Join(dir, strings.TrimSuffix(k.files[0], ".tmpl"))
}

// binary finds the program, or skips or fails the test.
func (k *kind) binary(t *testing.T) string {
	t.Helper()
	// Debian keeps servers where only root's PATH leads.
	for _, name := range []string{k.name, "/usr/sbin/" + k.name, "/usr/local/sbin/" + k.name} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv(require) != "" && !k.optional {
		t.Fatalf("%s is not installed, and %s is set: run `make deps`", k.name, require)
	}
	if k.optional {
		t.Skipf("NOT RUN: %s is not installed; docs/proxies.md says how to have it.", k.name)
	}
	t.Skipf("NOT RUN: %s is not installed. `make deps` installs it where it can.", k.name)
	return ""
}

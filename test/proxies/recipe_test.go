package proxies

import (
	"bytes"
	"os"
	"testing"
	"text/template"
)

// A kind is a proxy that the tests run.
type kind struct {
	name   string
	file   string // the recipe
	reload os.Signal
	// stock is what the proxy has for timeouts when nobody sets any: what
	// nginx is built with, what HAProxy's package for Debian configures.
	stock values
	// commands give the arguments to check the configuration and to run it in the
	// foreground.
	commands func(dir, config string) (check, run []string)
}

// values fill a recipe in.
type values struct {
	Name           string   // of the host
	TLS, Plain     string   // addresses to listen on; only tests listen in plain
	Cert, Key, PEM string   // files; the last has both
	Servers        []string // behind the proxy
	Idle           string   // after which a silent WebSocket is cut; "" leaves it to the proxy
	Wait           string   // for an answer, where it is not the same as Idle
	Log, Temp      string   // files and folders of nginx
}

// documented are the values that docs/proxies.md shows, but for the names of files.
var documented = values{
	Name: "example.com", Servers: []string{"127.0.0.1:4000", "127.0.0.1:4001"}, Idle: "75s", Wait: "30s",
}

// production is documented with the names of one kind.
func (k *kind) production() values {
	v := documented
	switch k {
	case nginx:
		v.TLS, v.Cert, v.Key = "443", "/etc/ssl/example.com.pem", "/etc/ssl/private/example.com.key"
		v.Log = "/var/log/nginx/access.log"
	case haproxy:
		v.TLS, v.PEM = ":443", "/etc/haproxy/example.com.pem"
	}
	return v
}

func (k *kind) render(t *testing.T, v values) []byte {
	t.Helper()
	recipe, err := template.New(k.file).Option("missingkey=error").ParseFiles(k.file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := recipe.Execute(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

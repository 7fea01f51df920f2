package proxies

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// kinds are all proxies that there is a recipe for.
var kinds = []*kind{nginx, haproxy, caddy, traefik}

var nginx = &kind{
	name: "nginx", files: []string{"nginx.conf.tmpl"},
	// It ends without waiting for anybody, and tells its workers, which a kill would
	// leave behind.
	quit:  syscall.SIGTERM,
	needs: []string{"proxy_set_header Host ", "proxy_set_header X-Forwarded-For ", "proxy_set_header X-Forwarded-Proto ", "proxy_set_header Upgrade ", "proxy_set_header Connection "},
	production: func(v *values) {
		v.TLS, v.Cert, v.Key = "443", "/etc/ssl/example.com.pem", "/etc/ssl/private/example.com.key"
		v.Log = "/var/log/nginx/access.log"
	},
	check:  func(dir, config string) []string { return append([]string{"-t"}, nginxArgs(dir, config)...) },
	run:    nginxArgs,
	reload: hang(syscall.SIGHUP),
}

func nginxArgs(dir, config string) []string {
	main := "daemon off; pid " + dir + "/nginx.pid;"
	if os.Geteuid() == 0 {
		// Workers of another user could not get into the test's folder.
		main += " user root root;"
	}
	return []string{"-c", config, "-p", dir, "-e", dir + "/error.log", "-g", main}
}

var haproxy = &kind{
	name: "haproxy", files: []string{"haproxy.cfg.tmpl"},
	quit:  syscall.SIGTERM, // as with nginx
	stock: values{Wait: "50s"},
	needs: []string{"http-request set-header X-Forwarded-For ", "http-request set-header X-Forwarded-Proto https "},
	production: func(v *values) {
		v.TLS, v.PEM = ":443", "/etc/haproxy/example.com.pem"
	},
	check:  func(_, config string) []string { return []string{"-c", "-f", config} },
	run:    func(_, config string) []string { return []string{"-W", "-f", config} },
	reload: hang(syscall.SIGUSR2),
}

var caddy = &kind{
	name: "caddy", files: []string{"Caddyfile.tmpl"},
	quit:       syscall.SIGQUIT, // SIGTERM waits for requests
	noLimits:   true,
	harmless:   "server is listening only on the HTTP port",
	production: func(v *values) { v.Sites = []site{{Address: v.Name}} },
	check: func(_, config string) []string {
		return []string{"validate", "--config", config, "--adapter", "caddyfile"}
	},
	run: func(_, config string) []string { return []string{"run", "--config", config, "--adapter", "caddyfile"} },
	reload: func(t *testing.T, p *proxy) {
		t.Helper()
		said, err := p.command([]string{"reload", "--config", p.config(p.dir), "--adapter", "caddyfile", "--address", "unix/" + p.dir + "/admin.sock"}).CombinedOutput()
		if err != nil {
			t.Fatalf("caddy does not reload: %v\n%s", err, said)
		}
	},
}

var traefik = &kind{
	name: "traefik", files: []string{"traefik.yml.tmpl", "traefik-bennu.yml.tmpl"},
	quit:     syscall.SIGKILL, // SIGTERM waits for requests
	optional: true,
	late:     true,
	noLimits: true,
	logged:   `"RequestMethod":"GET"`,
	says:     map[string]string{"http": "ws", "https": "wss"},
	production: func(v *values) {
		v.TLS, v.Cert, v.Key = ":443", "/etc/ssl/example.com.pem", "/etc/ssl/private/example.com.key"
		v.Dynamic = "/etc/traefik/bennu.yml"
	},
	run: func(_, config string) []string { return []string{"--configFile=" + config} },
}

// caddyBefore27 reports whether WebSockets end with a reload, as in Debian 12.
func caddyBefore27(t *testing.T, binary string) bool {
	t.Helper()
	p := proxy{binary: binary, dir: t.TempDir()}
	version, err := p.command([]string{"version"}).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range []string{"2.4.", "2.5.", "2.6."} {
		if strings.HasPrefix(strings.TrimPrefix(string(version), "v"), old) {
			return true
		}
	}
	return false
}

// hang sends a signal, upon which the proxy reads its configuration again.
func hang(s os.Signal) func(*testing.T, *proxy) {
	return func(t *testing.T, p *proxy) {
		t.Helper()
		if err := p.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
}

package proxies

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/wstest"
)

// require says that the tests must run; without it they are skipped where a
// proxy is not installed.
const require = "BENNU_REQUIRE_PROXIES"

var (
	nginx = &kind{
		name: "nginx", file: "nginx.conf.tmpl", reload: syscall.SIGHUP,
		commands: func(dir, config string) (check, run []string) {
			main := "daemon off; pid " + dir + "/nginx.pid;"
			if os.Geteuid() == 0 {
				// Workers of another user could not get into the test's folder.
				main += " user root root;"
			}
			common := []string{"-c", config, "-p", dir, "-e", dir + "/error.log", "-g", main}
			return append([]string{"-t"}, common...), common
		},
	}
	haproxy = &kind{
		name: "haproxy", file: "haproxy.cfg.tmpl", reload: syscall.SIGUSR2,
		stock: values{Wait: "50s"},
		commands: func(_, config string) (check, run []string) {
			return []string{"-c", "-f", config}, []string{"-W", "-f", config}
		},
	}
)

// forEach runs a test with each proxy, all at once.
func forEach(t *testing.T, test func(t *testing.T, k *kind)) {
	t.Parallel()
	for _, k := range []*kind{nginx, haproxy} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			k.binary(t)
			test(t, k)
		})
	}
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
	if os.Getenv(require) != "" {
		t.Fatalf("%s is not installed, and %s is set: run `make deps`", k.name, require)
	}
	t.Skipf("NOT RUN: %s is not installed. `make deps` installs it where it can.", k.name)
	return ""
}

// A proxy is one running proxy. Its addresses stay the same when it restarts.
type proxy struct {
	*kind
	addr, tlsAddr string
	roots         *x509.CertPool // to trust tlsAddr

	values values
	binary string
	dir    string
	log    string // what it writes, access log included
	cmd    *exec.Cmd
	ended  chan struct{}
}

// startProxy runs a proxy until the test ends, in front of some servers, with
// the time limits of v.
func startProxy(t *testing.T, k *kind, v values, servers ...string) *proxy {
	t.Helper()
	dir := t.TempDir()
	p := &proxy{kind: k, binary: k.binary(t), dir: dir, log: filepath.Join(dir, "log"), values: v}
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			written, _ := os.ReadFile(p.log)
			errors, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("%s wrote:\n%s%s", k.name, written, errors)
		}
	})
	p.certify(t)
	p.values.Name, p.values.Servers, p.values.Log, p.values.Temp = "127.0.0.1", servers, p.log, dir
	// A port that is free now may be taken before the proxy has it.
	for try := 1; ; try++ {
		p.addr, p.tlsAddr = freeAddrs(t)
		p.values.Plain, p.values.TLS = p.addr, p.tlsAddr
		err := p.start(t)
		if err == nil {
			return p
		}
		if try == 3 {
			t.Fatal(err)
		}
	}
}

// certify writes a certificate for 127.0.0.1.
func (p *proxy) certify(t *testing.T) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	own := s.TLS.Certificates[0]
	p.roots = x509.NewCertPool()
	p.roots.AddCert(s.Certificate())
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	for name, content := range map[string][]byte{"cert.pem": certPEM, "key.pem": keyPEM, "both.pem": append(certPEM, keyPEM...)} {
		if err := os.WriteFile(filepath.Join(p.dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.values.Cert, p.values.Key, p.values.PEM = p.dir+"/cert.pem", p.dir+"/key.pem", p.dir+"/both.pem"
}

func freeAddrs(t *testing.T) (a, b string) {
	t.Helper()
	var addrs [2]string
	for i := range addrs {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		addrs[i] = ln.Addr().String()
	}
	return addrs[0], addrs[1]
}

// configure writes the configuration and has the proxy itself check it: not even a
// warning is allowed.
func (p *proxy) configure(t *testing.T) (run []string) {
	t.Helper()
	config := filepath.Join(p.dir, "config")
	if err := os.WriteFile(config, p.render(t, p.values), 0o600); err != nil {
		t.Fatal(err)
	}
	check, run := p.commands(p.dir, config)
	said, err := exec.Command(p.binary, check...).CombinedOutput()
	if err != nil || bytes.Contains(bytes.ToLower(said), []byte("warn")) {
		t.Fatalf("%s does not like its configuration: %v\n%s", p.name, err, said)
	}
	return run
}

// start runs the proxy and returns when it listens.
func (p *proxy) start(t *testing.T) error {
	t.Helper()
	log, err := os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	// A file and not a pipe: nobody need wait for whoever still holds it.
	cmd := exec.Command(p.binary, p.configure(t)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in its log
	}()
	p.cmd, p.ended = cmd, ended
	late := time.NewTimer(wstest.Patience)
	defer late.Stop()
	for {
		again := time.NewTimer(5 * time.Millisecond)
		select {
		case <-ended:
			again.Stop()
			return fmt.Errorf("%s ended at its start", p.name)
		case <-late.C:
			again.Stop()
			return fmt.Errorf("%s does not listen after %v", p.name, wstest.Patience)
		case <-again.C:
		}
		if c, err := net.Dial("tcp", p.addr); err == nil {
			c.Close()
			return nil
		}
	}
}

// stop ends the proxy at once, with all connections through it.
func (p *proxy) stop(t *testing.T) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	// Both take this for the order not to wait for anybody, and pass it on to
	// their workers, which a kill would leave behind.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.NewTimer(wstest.Patience)
	defer late.Stop()
	select {
	case <-p.ended:
	case <-late.C:
		t.Errorf("%s does not end", p.name)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	p.cmd = nil
}

// move has the running proxy take a new configuration, in front of other servers.
func (p *proxy) move(t *testing.T, servers ...string) {
	t.Helper()
	p.values.Servers = servers
	p.configure(t)
	if err := p.cmd.Process.Signal(p.reload); err != nil {
		t.Fatal(err)
	}
}

func (p *proxy) ws(path string) string { return "ws://" + p.addr + path }

func (p *proxy) tlsConfig() *tls.Config { return &tls.Config{RootCAs: p.roots} }

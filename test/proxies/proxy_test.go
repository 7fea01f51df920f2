package proxies

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/wstest"
)

// require says that the tests must run; without it they are skipped where a
// proxy is not installed.
const require = "BENNU_REQUIRE_PROXIES"

// forEach runs a test with each proxy, all at once.
func forEach(t *testing.T, test func(t *testing.T, k *kind)) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			k.binary(t)
			test(t, k)
		})
	}
}

// A proxy is one running proxy. Its addresses stay the same when it restarts.
type proxy struct {
	*kind
	addr, tlsAddr string
	roots         *x509.CertPool // to trust tlsAddr
	sessions      tls.ClientSessionCache

	values values
	binary string
	dir    string
	log    string // what it writes, access log included
	cmd    *exec.Cmd
	ended  chan struct{}
}

// startProxy runs a proxy until the test ends, in front of some servers, with
// the time limits of v.
func startProxy(t *testing.T, k *kind, v values, servers ...backend) *proxy {
	t.Helper()
	dir := t.TempDir()
	p := &proxy{kind: k, binary: k.binary(t), dir: dir, log: filepath.Join(dir, "log"), values: v.behind(servers...)}
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			written, _ := os.ReadFile(p.log)
			errors, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("%s wrote:\n%s%s", k.name, written, errors)
		}
	})
	p.certify(t)
	p.values.Name, p.values.Log, p.values.Temp = "127.0.0.1", p.log, dir
	p.values.Request = "5m" // a machine with other work to do is no attacker
	p.values.Dynamic = filepath.Join(dir, "traefik-bennu.yml")
	if k == caddy && caddyBefore27(t, p.binary) {
		p.values.StreamDelay = ""
	}
	// A port that is free now may be taken before the proxy has it.
	for try := 1; ; try++ {
		p.addr, p.tlsAddr = testport.Addr(t), testport.Addr(t)
		p.values.Plain, p.values.TLS = p.addr, p.tlsAddr
		p.values.Sites = []site{{"https://" + p.tlsAddr, p.values.Cert + " " + p.values.Key}, {"http://" + p.addr, ""}}
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
	p.sessions = tls.NewLRUClientSessionCache(0)
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

// configure writes the configuration and has the proxy itself check it: not even a
// warning is allowed.
func (p *proxy) configure(t *testing.T) {
	t.Helper()
	for _, file := range p.files {
		to := filepath.Join(p.dir, strings.TrimSuffix(file, ".tmpl"))
		// In one step: a proxy may look for changes by itself.
		if err := os.WriteFile(to+".new", render(t, file, p.values), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(to+".new", to); err != nil {
			t.Fatal(err)
		}
	}
	if p.check == nil {
		return
	}
	said, err := p.command(p.check(p.dir, p.config(p.dir))).CombinedOutput()
	warned := false
	for line := range bytes.Lines(bytes.ToLower(said)) {
		warned = warned || bytes.Contains(line, []byte("warn")) && (p.harmless == "" || !bytes.Contains(line, []byte(strings.ToLower(p.harmless))))
	}
	if err != nil || warned {
		t.Fatalf("%s does not like its configuration: %v\n%s", p.name, err, said)
	}
}

// command runs the program. What it keeps for later it keeps in the test's folder.
func (p *proxy) command(args []string) *exec.Cmd {
	cmd := exec.Command(p.binary, args...)
	cmd.Env = append(os.Environ(), "HOME="+p.dir, "XDG_CONFIG_HOME="+p.dir, "XDG_DATA_HOME="+p.dir)
	return cmd
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
	p.configure(t)
	cmd := p.command(p.run(p.dir, p.config(p.dir)))
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
			if !p.late || p.routes() {
				return nil
			}
		}
	}
}

// routes reports whether the proxy has the recipe's certificate and its header.
func (p *proxy) routes() bool {
	carrier := &http.Transport{TLSClientConfig: p.tlsConfig(), DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: carrier, Timeout: wstest.Patience}).Get("https://" + p.tlsAddr + "/socket/")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.Header.Get("Strict-Transport-Security") != ""
}

// stop ends the proxy at once, with all connections through it.
func (p *proxy) stop(t *testing.T) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(p.quit)
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
func (p *proxy) move(t *testing.T, servers ...backend) {
	t.Helper()
	p.values = p.values.behind(servers...)
	p.configure(t)
	if p.reload != nil {
		p.reload(t, p)
	}
}

// awaitNews waits until the proxy has noticed, for the nth time, that a server has ended or
// is back, where it says so.
func (p *proxy) awaitNews(t *testing.T, server int, is string, n int) {
	t.Helper()
	if p.kind != haproxy {
		return
	}
	news := fmt.Sprintf("\nServer bennu/node%d is %s", server, is) // a warning says it again
	eventually(t, news, func() bool { return strings.Count(p.said(t), news) >= n })
}

// said is the log.
func (p *proxy) said(t *testing.T) string {
	t.Helper()
	log, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

func (p *proxy) ws(path string) string { return "ws://" + p.addr + path }

// tlsConfig has clients go on with sessions of others, which takes less of the processor than
// a handshake for each.
func (p *proxy) tlsConfig() *tls.Config {
	return &tls.Config{RootCAs: p.roots, ClientSessionCache: p.sessions}
}

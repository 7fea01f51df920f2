package redistest

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/bennu-go/bennu/internal/testport"
)

// TLSServer is a server that also listens with TLS and on a Unix socket. A user "bennu" with the
// password "p@ss/word" can be made with Do.
type TLSServer struct {
	*Server
	URL    string         // of the port with TLS, for that user
	Addr   string         // of the port with TLS
	Socket string         // URL of the Unix socket, for that user
	Roots  *x509.CertPool // which have the certificate, and nobody else has
}

// StartTLS starts a server with a self-signed certificate.
func StartTLS(t testing.TB) *TLSServer {
	t.Helper()
	web := httptest.NewTLSServer(nil) // its certificate is for 127.0.0.1
	defer web.Close()
	own := web.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, bytes []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert := write("cert.pem", "CERTIFICATE", own.Certificate[0])
	port, socket := strconv.Itoa(testport.Free(t)), filepath.Join(dir, "redis.sock")
	s := Start(t, "--tls-port", port, "--tls-auth-clients", "no", "--tls-cert-file", cert, "--tls-ca-cert-file", cert,
		"--tls-key-file", write("key.pem", "PRIVATE KEY", key), "--unixsocket", socket)
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	const user = "bennu:p%40ss%2Fword@"
	addr := "127.0.0.1:" + port
	return &TLSServer{s, "rediss://" + user + addr, addr, "unix://" + user + socket, roots}
}

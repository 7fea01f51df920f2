package connect

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/conformance/fixture/app"
	"github.com/bennu-go/bennu/internal/proctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newFixture serves the application of the wire cases, and returns its URL.
func newFixture(t *testing.T) string {
	t.Helper()
	endpoint := app.New(slog.New(slog.DiscardHandler))
	server := httptest.NewUnstartedServer(endpoint)
	server.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), proctest.Patience)
		defer cancel()
		if err := endpoint.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return "http://localhost:" + port // the host that the fixture expects
}

// A ran is how a command ended.
type ran struct {
	code     int
	out, err string
}

// runConnect runs the command to its end, with what it reads.
func runConnect(t *testing.T, in io.Reader, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), proctest.Patience)
	defer cancel()
	var out, errOut buffer
	root := cli.Root(in, &out, &errOut, Command())
	code := cli.Run(ctx, root, append([]string{"connect"}, args...))
	if ctx.Err() != nil {
		t.Errorf("it does not end")
	}
	return ran{code, out.String(), errOut.String()}
}

// A buffer may be written and read at the same time.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

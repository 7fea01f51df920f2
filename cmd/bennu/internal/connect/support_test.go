package connect

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/conformance/app"
	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/waittest"
)

func TestMain(m *testing.M) { waittest.Main(m) }

// newFixture serves the application of the wire cases, and returns the URL of its socket.
func newFixture(t *testing.T) string {
	t.Helper()
	return serve(t, app.NewPatient(slog.New(slog.DiscardHandler)))
}

// serve serves an endpoint until the end of the test.
func serve(t *testing.T, endpoint *bennu.Endpoint) (base string) {
	t.Helper()
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

// A ran is the result of a command.
type ran struct {
	code     int
	out, err string
}

// runConnect runs the command to its end, with what it reads.
func runConnect(t *testing.T, in io.Reader, args ...string) ran {
	t.Helper()
	return runInto(t, new(buffer), in, args...)
}

// runInto is runConnect with the buffer that standard output goes to.
func runInto(t *testing.T, out *buffer, in io.Reader, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), proctest.Patience)
	defer cancel()
	var errOut buffer
	root := cli.Root(in, out, &errOut, Command())
	code := cli.Run(ctx, root, append([]string{"connect"}, args...))
	if ctx.Err() != nil {
		t.Errorf("it does not end")
	}
	return ran{code, out.String(), errOut.String()}
}

// inTime calls play until it returns "", at most five times, and fails with the last text. It is for
// tests of a time limit, which a slow machine can exceed.
func inTime(t *testing.T, play func() (wrong string)) {
	t.Helper()
	var wrong string
	for range 5 {
		if wrong = play(); wrong == "" || t.Failed() {
			break
		}
	}
	if wrong != "" {
		t.Error(wrong)
	}
}

// A later is an input that can be read after a text has been printed.
type later struct {
	t     *testing.T
	out   *buffer
	shown string
	io.Reader
}

func (l *later) Read(p []byte) (int, error) {
	for until := time.Now().Add(proctest.Patience); !strings.Contains(l.out.String(), l.shown); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			l.t.Errorf("%q is not in\n%s", l.shown, l.out)
			return 0, io.EOF
		}
	}
	return l.Reader.Read(p)
}

type buffer = waittest.Buffer

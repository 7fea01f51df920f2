package connect

import (
	"context"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/pubsub"
)

// newKeeper serves rooms whose messages are kept.
func newKeeper(t *testing.T, sinceParam string) (e *bennu.Endpoint, url string) {
	t.Helper()
	ps, logger := pubsub.NewLocal(), slog.New(slog.DiscardHandler)
	log, err := history.New(t.Context(), ps, &history.Options{Topics: []history.Topic{{Pattern: "room:*"}}, SinceParam: sinceParam, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	rooms := bennu.Define(func(context.Context, *bennu.Channel, bennu.Empty) (*struct{}, bennu.Empty, error) {
		return new(struct{}), bennu.Empty{}, nil
	})
	var users bennu.SocketHandler
	users.Channel("room:*", rooms)
	e = bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, History: log, Logger: logger})
	e.Socket("/socket", &users, nil)
	e.OnShutdown(log.Close)
	return e, serve(t, e) + "/socket"
}

// broadcaster is an input that broadcasts when it is read, and then gives its lines.
type broadcaster struct {
	e    *bennu.Endpoint
	body string
	io.Reader
}

func (b *broadcaster) Read(p []byte) (int, error) {
	if b.body != "" {
		_ = b.e.Broadcast("room:1", "said", map[string]string{"body": b.body})
		b.body = ""
	}
	return b.Reader.Read(p)
}

// TestResume misses a message between disconnect and reconnect.
func TestResume(t *testing.T) {
	for _, name := range []string{"since", "after", ""} {
		resume := name != ""
		e, url := newKeeper(t, name)
		var out buffer
		await := func(shown, lines string) io.Reader { return &later{t, &out, shown, strings.NewReader(lines)} }
		first, end := `"status":"new"`, `"count":1`
		args := []string{url, "--topic", "room:1", "--join", `{"a":1}`}
		if resume {
			args = append(args, "--resume")
			if name != "since" {
				args = append(args, "--since-param", name)
			}
		} else {
			first, end = "ok to join", "ok to join"
		}
		in := io.MultiReader(
			await(first, ""), &broadcaster{e, "one", strings.NewReader("")},
			await("one", "disconnect\n"), await("disconnected", ""), &broadcaster{e, "two", strings.NewReader("")},
			strings.NewReader("reconnect\n"), await(end, ""),
		)
		got := runInto(t, &out, in, args...)
		all := got.out + got.err
		if got.code != cli.OK {
			t.Errorf("exit code %d", got.code)
		}
		for _, want := range []string{
			`join  \{"a":1,"` + name + `":null\}`, `bennu:resume at ([a-z2-7]{8}:\d+)  \{"status":"new"\}`, `said at ([a-z2-7]{8}:\d+)  \{"body":"one"\}`,
			`join  \{"a":1,"` + name + `":"[a-z2-7]{8}:\d+"\}`, `bennu:resume at ([a-z2-7]{8}:\d+)  \{"status":"recovered"\}`,
			`said at ([a-z2-7]{8}:\d+)  \{"body":"two"\}`, `bennu:resume at ([a-z2-7]{8}:\d+)  \{"status":"live","count":1\}`,
		} {
			if regexp.MustCompile(want).MatchString(all) != resume {
				t.Errorf("resume %t: %q in\n%s", resume, want, all)
			}
		}
	}
}

// TestResumeNeedsAnObject finds the mistake before connecting.
func TestResumeNeedsAnObject(t *testing.T) {
	got := runConnect(t, strings.NewReader(""), "ws://localhost:1/socket", "--topic", "a", "--join", "[1]", "--resume")
	if got.code != cli.Misuse || !strings.Contains(got.err, "with --resume the payload of a join is an object") {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
}

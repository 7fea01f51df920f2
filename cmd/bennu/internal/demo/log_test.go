package demo

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/waittest"
)

// A crash is logged with the line of the program where it happened, on separate lines.
func TestCrashIsReadable(t *testing.T) {
	d := newDemo(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	socket, err := client.Dial(ctx, d.url+"/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	bird := socket.Channel("fragile:dawn", nil)
	if _, err := bird.Join(ctx); err != nil {
		t.Fatal(err)
	}
	if err := bird.Send("crash", nil); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`(?m)^time=\S+ level=ERROR msg="channel crashed" .*somebody pressed the button.*
    \S+/examples/hello\.\(\*fragileChannel\)\.crash \S+/fragile\.go:\d+$`)
	waittest.Until(t, "the crash is in the log", func() bool { return want.MatchString(d.logged.String()) })
	if said := d.logged.String(); strings.Contains(said, `\n`) || strings.Contains(said, "runtime/debug") || strings.Contains(said, "executor.go") {
		t.Errorf("the log has more than that:\n%s", said)
	}
}

func TestReadable(t *testing.T) {
	const handler, below = "main.(*room).shout /chat/room.go:12", "github.com/bennu-go/bennu.(*executor).step /bennu/executor.go:1"
	for name, tt := range map[string]struct {
		frames []string
		want   string
	}{
		"whole":  {[]string{handler, below}, "    " + handler + "\n"},
		"within": {[]string{below, handler}, "    " + below + "\n    " + handler + "\n"},
		"none":   {nil, ""},
	} {
		if got := readable(tt.frames); got != tt.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, tt.want)
		}
	}
}

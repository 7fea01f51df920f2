package demo

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/internal/proctest"
)

// A crash is told with the line of the program where it happened, on lines of their own.
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
    \S+/examples/hello\.\(\*fragileChannel\)\.crash\(.*\)
    \t\S+/fragile\.go:\d+.*$`)
	proctest.Until(t, "the crash in the log", func() bool { return want.MatchString(d.logged.String()) })
	if said := d.logged.String(); strings.Contains(said, `\n`) || strings.Contains(said, "runtime/debug") || strings.Contains(said, "executor.go") {
		t.Errorf("the log has more than that:\n%s", said)
	}
}

func TestReadable(t *testing.T) {
	const above, below = "goroutine 7 [running]:\nruntime/debug.Stack()\n\t/go/debug.go:26\npanic({0x1, 0x2})\n\t/go/panic.go:860\n", "github.com/bennu-go/bennu.(*executor).run(0x1)\n\t/bennu/executor.go:1\n"
	const handler, shown = "main.(*room).shout(...)\n\t/chat/room.go:12\n", "    main.(*room).shout(...)\n    \t/chat/room.go:12\n"
	for name, tt := range map[string]struct{ stack, want string }{
		"whole":   {above + handler + below, shown},
		"escaped": {strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(above + handler + below), shown},
		"within":  {above + below, "    github.com/bennu-go/bennu.(*executor).run(0x1)\n    \t/bennu/executor.go:1\n"},
		"other":   {"no stack", "    no stack\n"},
	} {
		if got := readable(tt.stack); got != tt.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, tt.want)
		}
	}
}

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/measure/internal/part"
)

// Measurements run to their end at sizes that say nothing. What they print is looked at for
// its rows alone.
func TestMeasurements(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		rows []string
	}{
		{"memory -connections 20", []string{"server with one connection +[1-9]", "20 joined, idle +[1-9].* KB", "after an echo and a broadcast on each +[1-9]"}},
		{"memory -connections 20 -no-epoll", []string{"20 joined, idle +[1-9].* KB"}},
		{"clientmemory -clients 5", []string{"process with one client +[1-9]", "5 joined, idle +[1-9].* KB", "[1-9][0-9]* goroutines, [1-9][0-9.]* per client"}},
		{"nodes -broker embedded -rate 100 -seconds 1 -topics 50", []string{"latency added, 500 a second: .* p99.9 ", "CPU a message: ", "0 messages received", "50 topics on one node"}},
		{"replay -clients 20 -messages 50", []string{"20 clients have each missed 50 messages", "CPU of a message: +server [0-9]", "from the store: +1\n", "meanwhile: +"}},
		{"nodes -broker nats -rate 100 -seconds 1 -topics 50", []string{"at the broker: ", "all interest is there again after "}},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			c := exec.Command(self, strings.Fields(tt.args)...)
			c.Env = append(os.Environ(), asMeasure+"=1")
			said, err := c.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			for _, row := range tt.rows {
				if !regexp.MustCompile(row).Match(said) {
					t.Errorf("no row %q in\n%s", row, said)
				}
			}
		})
	}
}

func TestFloor(t *testing.T) {
	program, err := part.Build(t.Context(), t.TempDir(), part.Measure, "./floor")
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{{"-addr", "127.0.0.1:0"}, {"-addr", "127.0.0.1:0", "-gather"}} {
		floor, line, err := part.StartSaying(t.Context(), program, flags...)
		if err != nil {
			t.Fatal(err)
		}
		var at struct{ URL string }
		if err := json.Unmarshal([]byte(line), &at); err != nil {
			t.Fatal(err)
		}
		one, two := wstest.Dial(t, at.URL+"/websocket?vsn=2.0.0"), wstest.Dial(t, at.URL+"/websocket?vsn=2.0.0")
		for _, c := range []*wstest.Client{one, two} {
			c.Send(wstest.Text(`["1","1","t","phx_join",{}]`))
			c.ExpectFrame(wstest.Text(`["1","1","t","phx_reply",{"status":"ok","response":{}}]`))
		}
		one.Send(wstest.Ping("there?"))
		one.ExpectFrame(wstest.Frame{Op: wstest.OpPong, Payload: []byte("there?")})
		long := strings.Repeat("x", 200)
		one.Send(wstest.Text(`["1","2","t","echo","` + long + `"]`))
		one.ExpectFrame(wstest.Text(`["1","2","t","phx_reply",{"status":"ok","response":"` + long + `"}]`))
		one.Send(wstest.Text(`["1","3","t","broadcast",{"a":1}]`))
		one.ExpectFrame(wstest.Text(`[null,null,"t","broadcast",{"a":1}]`))
		one.ExpectFrame(wstest.Text(`["1","3","t","phx_reply",{"status":"ok","response":{}}]`))
		two.ExpectFrame(wstest.Text(`[null,null,"t","broadcast",{"a":1}]`))
		floor.Stop()
	}
}

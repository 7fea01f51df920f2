package bench

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// A phase of the tour, in the order in which they run.
const (
	phaseConnect   = "connect"
	phaseEcho      = "echo"
	phaseLoad      = "load"
	phaseBroadcast = "broadcast"
	phaseAhead     = "ahead"
	phaseSlow      = "slow"
	phaseReconnect = "reconnect"
)

var phaseNames = []string{phaseConnect, phaseEcho, phaseLoad, phaseBroadcast, phaseAhead, phaseSlow, phaseReconnect}

// application has the topics and events of an application's channels.
type application struct {
	topic          string // with {c} for the connection's number and {t} for its topic's
	joinPayload    string
	echoEvent      string
	echoPayload    string // with {text} for the marker
	echoReturns    bool   // the reply has the marker in it
	collectEvent   string // makes the server collect its garbage; "" is none
	castTopic      string
	castJoin       string
	castEvent      string
	castPayload    string // with {text}
	slowTopic      string
	subscribers    int // at most, 0 for all; in a room of the demo, each join is sent to all others
	longestPayload int // 0 is none
}

var apps = map[string]application{
	"bench": {
		topic: "bench:{c}-{t}", joinPayload: "{}", echoEvent: "echo", echoPayload: `{"text":"{text}"}`, echoReturns: true, collectEvent: "collect",
		castTopic: "bench:all", castJoin: "{}", castEvent: "broadcast", castPayload: `{"text":"{text}"}`, slowTopic: "bench:slow",
	},
	"demo": {
		topic: "ping:bench-{c}-{t}", joinPayload: "{}", echoEvent: "ping", echoPayload: `{"text":"{text}"}`,
		castTopic: "room:bench", castJoin: `{"name":"bench"}`, castEvent: "shout", castPayload: `{"body":"{text}"}`, slowTopic: "room:bench-slow",
		subscribers: 200, longestPayload: 280,
	},
}

// options are the flags of a run.
type options struct {
	app     application
	appName string
	phases  []string
	pid     int
	foreign bool
	json    bool

	connections, topics int
	connectRate         float64
	atOnce, tries       int
	heartbeat           time.Duration
	settle, timeout     time.Duration
	sources             int
	payload             int

	echoRate    float64
	echoTime    time.Duration
	loadConns   int
	outstanding int
	loadTime    time.Duration
	subscribers int
	broadcasts  int
	ahead       int
	aheadCasts  int
	slowSubs    int
	slow        int
	slowCasts   int
	slowAhead   int
	slowPayload int
	changed     func(flag string) bool
}

func (o *options) flags(c *cobra.Command) {
	f := c.Flags()
	f.SortFlags = false
	o.changed = f.Changed
	f.StringVar(&o.appName, "app", "bench", "`application` to talk to: bench or demo; the flags below change its topics and events")
	f.StringSliceVar(&o.phases, "phases", phaseNames, "what to measure; connect is always done")
	f.IntVar(&o.pid, "pid", 0, "`process` of the server, to read its CPU and memory; it is on this machine")
	f.BoolVar(&o.foreign, "i-own-the-target", false, "allow addresses of other machines")
	f.BoolVar(&o.json, "json", false, "print one JSON object instead of a table")

	f.IntVar(&o.connections, "connections", 1000, "`number` of connections to hold")
	f.IntVar(&o.topics, "topics", 1, "`number` of topics that each connection joins")
	f.Float64Var(&o.connectRate, "connect-rate", 0, "connections to begin in a second (default all at once)")
	f.IntVar(&o.atOnce, "at-once", 1000, "`connections` that may be between their first packet and their last join")
	f.IntVar(&o.tries, "tries", 10, "`times` to try a connection that is refused or told to come later")
	f.DurationVar(&o.heartbeat, "heartbeat", 30*time.Second, "`time` between two heartbeats of a connection")
	f.DurationVar(&o.settle, "settle", time.Second, "`time` to wait before memory is read")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "a phase ends incomplete when nothing happened for this `time`")
	f.IntVar(&o.sources, "sources", 8, "loopback `addresses` to connect from, 127.0.0.2 and up")
	f.IntVar(&o.payload, "payload", 100, "`bytes` of each payload")

	f.Float64Var(&o.echoRate, "echo-rate", 1000, "echo: `echoes` in a second, over all connections")
	f.DurationVar(&o.echoTime, "echo-time", 3*time.Second, "echo: `time` to keep that up")
	f.IntVar(&o.loadConns, "load-connections", 200, "load: `connections` that send")
	f.IntVar(&o.outstanding, "load-outstanding", 4, "load: `echoes` on their way for each of them")
	f.DurationVar(&o.loadTime, "load-time", 3*time.Second, "load: `time` to keep that up")
	f.IntVar(&o.subscribers, "subscribers", 0, "broadcast, ahead: `connections` that subscribe (default all; demo 200)")
	f.IntVar(&o.broadcasts, "broadcasts", 20, "broadcast: `number` of broadcasts, one at a time")
	f.IntVar(&o.ahead, "ahead", 20, "ahead: `broadcasts` on their way")
	f.IntVar(&o.aheadCasts, "ahead-broadcasts", 200, "ahead: `number` of broadcasts")
	f.IntVar(&o.slowSubs, "slow-subscribers", 200, "slow: `connections` that subscribe")
	f.IntVar(&o.slow, "slow-readers", 20, "slow: `connections` of these that stop reading")
	f.IntVar(&o.slowCasts, "slow-broadcasts", 20000, "slow: `number` of broadcasts")
	f.IntVar(&o.slowAhead, "slow-ahead", 50, "slow: `broadcasts` on their way")
	f.IntVar(&o.slowPayload, "slow-payload", 1024, "slow: `bytes` of each payload")

	a := &o.app
	f.StringVar(&a.topic, "topic", "", "`topic` of connection {c} and its topic {t} for connect, echo and load")
	f.StringVar(&a.joinPayload, "join-payload", "", "`JSON` payload of its joins")
	f.StringVar(&a.echoEvent, "echo-event", "", "`event` that is replied to with status ok")
	f.StringVar(&a.echoPayload, "echo-payload", "", "its `JSON`, with {text} for a text of the size of --payload")
	f.StringVar(&a.castTopic, "broadcast-topic", "", "`topic` for broadcast and ahead")
	f.StringVar(&a.castJoin, "broadcast-join-payload", "", "`JSON` payload of its joins, and of those of the slow topic")
	f.StringVar(&a.castEvent, "broadcast-event", "", "`event` that the channel broadcasts to all its subscribers, the sender included")
	f.StringVar(&a.castPayload, "broadcast-payload", "", "its `JSON`; the broadcast must contain {text}")
	f.StringVar(&a.slowTopic, "slow-topic", "", "`topic` for slow")
	f.StringVar(&a.collectEvent, "collect-event", "", "`event` that makes the server collect its garbage, before memory is read")
}

// complete sets the options that depend on the application, and checks all.
func (o *options) complete() error {
	preset, ok := apps[o.appName]
	if !ok {
		return fmt.Errorf("--app %q is not known; use bench or demo, and the flags for topics and events", o.appName)
	}
	a := &o.app
	if a.topic != "" {
		preset.collectEvent = "" // other channels may crash when they get it
	}
	for _, text := range []struct{ to, from *string }{
		{&a.topic, &preset.topic}, {&a.joinPayload, &preset.joinPayload}, {&a.echoPayload, &preset.echoPayload},
		{&a.castTopic, &preset.castTopic}, {&a.castJoin, &preset.castJoin}, {&a.castEvent, &preset.castEvent},
		{&a.castPayload, &preset.castPayload}, {&a.slowTopic, &preset.slowTopic}, {&a.collectEvent, &preset.collectEvent},
	} {
		if *text.to == "" {
			*text.to = *text.from
		}
	}
	if a.echoEvent == "" {
		a.echoEvent, a.echoReturns = preset.echoEvent, preset.echoReturns
	}
	if preset.longestPayload > 0 {
		o.payload, o.slowPayload = min(o.payload, preset.longestPayload), min(o.slowPayload, preset.longestPayload)
	}
	if o.subscribers == 0 && preset.subscribers > 0 {
		o.subscribers = preset.subscribers
	}
	if o.subscribers == 0 || o.subscribers > o.connections {
		o.subscribers = o.connections
	}
	if err := o.check(); err != nil {
		return err
	}
	// Defaults that are larger than the number of connections are lowered to it.
	o.loadConns = min(o.loadConns, o.connections)
	o.slowSubs = min(o.slowSubs, o.connections)
	if !o.changed("slow-readers") {
		o.slow = min(o.slow, o.slowSubs/10)
	}
	if o.slow >= o.slowSubs {
		return fmt.Errorf("--slow-readers %d leaves nobody who reads among %d subscribers; use fewer", o.slow, o.slowSubs)
	}
	return nil
}

func (o *options) check() error {
	for _, n := range []struct {
		name  string
		value float64
		least float64
		most  float64
	}{
		{"connections", float64(o.connections), 1, 1 << 20}, {"topics", float64(o.topics), 1, 1 << 16}, {"connect-rate", o.connectRate, 0, 1e6},
		{"at-once", float64(o.atOnce), 1, 1 << 20}, {"tries", float64(o.tries), 1, 200}, {"sources", float64(o.sources), 1, 250},
		{"payload", float64(o.payload), 0, 1 << 20}, {"slow-payload", float64(o.slowPayload), 0, 1 << 20},
		{"echo-rate", o.echoRate, 0.1, 1e6}, {"load-connections", float64(o.loadConns), 1, 1 << 20}, {"load-outstanding", float64(o.outstanding), 1, 1 << 10},
		{"broadcasts", float64(o.broadcasts), 1, 1 << 30}, {"ahead", float64(o.ahead), 1, 1 << 16}, {"ahead-broadcasts", float64(o.aheadCasts), 1, 1 << 30},
		{"slow-subscribers", float64(o.slowSubs), 1, 1 << 20}, {"slow-readers", float64(o.slow), 0, 1 << 20}, {"slow-broadcasts", float64(o.slowCasts), 1, 1 << 30},
		{"slow-ahead", float64(o.slowAhead), 1, 1 << 16}, {"subscribers", float64(o.subscribers), 1, 1 << 20}, {"pid", float64(o.pid), 0, 1 << 22},
	} {
		if !(n.value >= n.least && n.value <= n.most) {
			return fmt.Errorf("--%s is %.9g; use %.9g to %.9g", n.name, n.value, n.least, n.most)
		}
	}
	for _, d := range []struct {
		name               string
		value, least, most time.Duration
	}{
		{"heartbeat", o.heartbeat, 10 * time.Millisecond, 240 * time.Hour}, {"timeout", o.timeout, 10 * time.Millisecond, 240 * time.Hour},
		{"settle", o.settle, 0, time.Hour}, {"echo-time", o.echoTime, time.Millisecond, 24 * time.Hour}, {"load-time", o.loadTime, time.Millisecond, 24 * time.Hour},
	} {
		if d.value < d.least || d.value > d.most {
			return fmt.Errorf("--%s is %v; use %v to %gh", d.name, d.value, d.least, d.most.Hours())
		}
	}
	if len(o.phases) == 0 {
		return fmt.Errorf("--phases is empty; the phases are %s", strings.Join(phaseNames, ", "))
	}
	for i, name := range o.phases {
		o.phases[i] = strings.TrimSpace(name)
		if !slices.Contains(phaseNames, o.phases[i]) {
			return fmt.Errorf("--phases has %q; the phases are %s", name, strings.Join(phaseNames, ", "))
		}
	}
	for _, p := range []struct{ name, json string }{
		{"join-payload", o.app.joinPayload}, {"echo-payload", o.app.echoPayload},
		{"broadcast-join-payload", o.app.castJoin}, {"broadcast-payload", o.app.castPayload},
	} {
		if !json.Valid([]byte(p.json)) {
			return fmt.Errorf("--%s is no JSON", p.name)
		}
	}
	if !strings.Contains(o.app.castPayload, `{text}`) {
		return fmt.Errorf("--broadcast-payload has no {text} in it, by which broadcasts are counted")
	}
	if !strings.Contains(o.app.topic, "{c}") || o.topics > 1 && !strings.Contains(o.app.topic, "{t}") {
		return fmt.Errorf("--topic needs {c} for the number of the connection, and {t} for that of the topic if there are several")
	}
	return nil
}

func (o *options) wants(phase string) bool { return slices.Contains(o.phases, phase) }

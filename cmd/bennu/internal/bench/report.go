package bench

import "time"

// Report is what --json prints. Fields of phases that did not run are omitted, and those of the
// server's process if it is not known. Durations are in microseconds or seconds, and memory in bytes,
// as the names say.
type Report struct {
	URL         string `json:"url"`
	App         string `json:"app"`
	Start       string `json:"start"` // RFC 3339
	Complete    bool   `json:"complete"`
	Interrupted bool   `json:"interrupted"`
	Error       string `json:"error,omitempty"` // why the run ended early
	Connections int    `json:"connections"`     // asked for, as the two below
	Topics      int    `json:"topics"`
	Payload     int    `json:"payload_bytes"`
	PID         int    `json:"pid,omitempty"`

	Heartbeats int `json:"heartbeats_answered"`

	Memory    *Memory    `json:"memory,omitempty"`
	Connect   *Connect   `json:"connect,omitempty"`
	Echo      *Echo      `json:"echo,omitempty"`
	Load      *Echo      `json:"load,omitempty"`
	Subscribe *Connect   `json:"subscribe,omitempty"` // to the topics of the broadcasts
	Broadcast *Broadcast `json:"broadcast,omitempty"`
	Ahead     *Broadcast `json:"ahead,omitempty"`
	Slow      *Slow      `json:"slow,omitempty"`
	Reconnect *Connect   `json:"reconnect,omitempty"`
	Faults    Faults     `json:"faults"`
}

// Cost is the processor time of a phase.
type Cost struct {
	Server      float64 `json:"server_cpu_seconds,omitempty"`
	ServerPerOp float64 `json:"server_cpu_us_per_op,omitempty"` // join, echo or delivery
	Bench       float64 `json:"bench_cpu_seconds"`
	BenchPerOp  float64 `json:"bench_cpu_us_per_op"`
}

// Connect has the figures of many connections at once, or of joins on open connections.
type Connect struct {
	Complete  bool     `json:"complete"`
	Wanted    int      `json:"wanted"` // connections
	Connected int      `json:"connected"`
	Joins     int      `json:"joins"` // topics joined
	Refused   int      `json:"refused_tries"`
	Seconds   float64  `json:"seconds"`           // until the last join was answered
	Latency   *Latency `json:"latency,omitempty"` // of a connection, from its first try to its last join
	Cost
}

// Echo has the figures of pushes with replies.
type Echo struct {
	Complete   bool     `json:"complete"`
	Rate       float64  `json:"intended_per_second,omitempty"`
	Sent       int      `json:"sent"`
	Answered   int      `json:"answered"`
	Errors     int      `json:"error_replies"`
	Lost       int      `json:"lost"`
	Seconds    float64  `json:"seconds"`
	PerSecond  float64  `json:"per_second"`
	Latency    *Latency `json:"latency,omitempty"` // at a rate from the intended moment
	Lateness   *Latency `json:"bench_lateness,omitempty"`
	Senders    int      `json:"senders"`
	InProgress int      `json:"outstanding,omitempty"` // of each sender
	Cost
}

// Broadcast has the figures of broadcasts to all subscribers of a topic.
type Broadcast struct {
	Complete    bool     `json:"complete"`
	Subscribers int      `json:"subscribers"`
	Ahead       int      `json:"ahead"`
	Sent        int      `json:"sent"`
	Expected    int      `json:"deliveries_expected"`
	Delivered   int      `json:"deliveries"`
	Missing     int      `json:"deliveries_missing"`
	Disordered  int      `json:"deliveries_out_of_order"` // or twice
	Errors      int      `json:"error_replies"`
	Seconds     float64  `json:"seconds"`
	PerSecond   float64  `json:"deliveries_per_second"`
	Latency     *Latency `json:"latency,omitempty"`        // of deliveries
	Half        *Latency `json:"latency_to_p50,omitempty"` // of broadcasts, until half had it
	Most        *Latency `json:"latency_to_p99,omitempty"`
	Last        *Latency `json:"latency_to_last,omitempty"`
	Cost
}

// Slow has the figures of broadcasts while some subscribers do not read. The fields of Broadcast are
// those of the others.
type Slow struct {
	Broadcast
	Readers    int            `json:"slow_readers"`
	Closed     map[string]int `json:"slow_closed"` // by close code, or "reset", "end"
	Open       int            `json:"slow_still_open"`
	SlowGaps   int            `json:"slow_gaps"` // deliveries missing between two that a slow one got
	MemoryFrom int64          `json:"server_rss_before_bytes,omitempty"`
	MemoryPeak int64          `json:"server_rss_peak_bytes,omitempty"`
	Grown      int64          `json:"server_rss_grown_bytes,omitempty"`
}

// Memory is the resident memory of both processes. The memory of a connection is the growth divided by
// the number of connections.
type Memory struct {
	Collected      bool    `json:"collected"` // the server collected its garbage before each reading
	ServerBefore   int64   `json:"server_rss_before_bytes,omitempty"`
	ServerIdle     int64   `json:"server_rss_idle_bytes,omitempty"`
	ServerTraffic  int64   `json:"server_rss_after_traffic_bytes,omitempty"`
	ServerPerIdle  float64 `json:"server_rss_per_connection_idle_bytes,omitempty"`
	ServerPerAfter float64 `json:"server_rss_per_connection_after_traffic_bytes,omitempty"`
	ServerPerTopic float64 `json:"server_rss_per_joined_topic_idle_bytes,omitempty"`
	BenchBefore    int64   `json:"bench_rss_before_bytes"`
	BenchIdle      int64   `json:"bench_rss_idle_bytes,omitempty"`
	BenchTraffic   int64   `json:"bench_rss_after_traffic_bytes,omitempty"`
	BenchPerIdle   float64 `json:"bench_rss_per_connection_idle_bytes,omitempty"`
	BenchPerAfter  float64 `json:"bench_rss_per_connection_after_traffic_bytes,omitempty"`
	BenchCPU       float64 `json:"bench_cpu_seconds"` // of the whole run
}

// Faults are the unexpected faults of a run.
type Faults struct {
	Refused       map[string]int `json:"refused,omitempty"` // tries to connect, by reason
	GivenUp       int            `json:"given_up"`          // connections that never got all their topics
	Closed        map[string]int `json:"closed,omitempty"`  // by close code, or "reset", "end"
	Errors        map[string]int `json:"error_replies,omitempty"`
	Channels      int            `json:"phx_error"` // channels that crashed
	ChannelCloses int            `json:"phx_close"`
	Heartbeats    int            `json:"heartbeats_unanswered"`
	Malformed     map[string]int `json:"malformed,omitempty"`
	Stalled       []string       `json:"stalled,omitempty"` // phases in which nothing happened for too long
}

// any reports whether something went wrong that makes a run incomplete. Tries that
// were refused do not, if a later one succeeded.
func (f *Faults) any() bool {
	return f.GivenUp+len(f.Closed)+len(f.Errors)+f.Channels+f.ChannelCloses+f.Heartbeats+len(f.Malformed)+len(f.Stalled) > 0
}

// note counts one more of a kind. The map has few kinds.
func note(to *map[string]int, what string) {
	const kinds = 20
	if *to == nil {
		*to = map[string]int{}
	}
	if _, known := (*to)[what]; !known && len(*to) >= kinds {
		what = "others"
	}
	(*to)[what]++
}

// seconds of a duration.
func seconds(d time.Duration) float64 { return d.Seconds() }

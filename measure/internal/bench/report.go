package bench

// report is what is used of the JSON that "bennu bench" prints.
type report struct {
	Memory    memory     `json:"memory"`
	Connect   *storm     `json:"connect"`
	Load      *operation `json:"load"`
	Broadcast *operation `json:"broadcast"`
	Ahead     *operation `json:"ahead"`
	Slow      *operation `json:"slow"`
	Reconnect *storm     `json:"reconnect"`

	// Server is what the server said at its end.
	Server collector `json:"server"`
}

type memory struct {
	PerIdle  float64 `json:"server_rss_per_connection_idle_bytes"`
	PerAfter float64 `json:"server_rss_per_connection_after_traffic_bytes"`
	PerTopic float64 `json:"server_rss_per_joined_topic_idle_bytes"`
}

type storm struct {
	CPU     float64 `json:"server_cpu_us_per_op"`
	Seconds float64 `json:"seconds"`
}

type operation struct {
	CPU    float64        `json:"server_cpu_us_per_op"`
	Last   *latency       `json:"latency_to_last"`
	Closed map[string]int `json:"slow_closed"`
	Grown  float64        `json:"server_rss_grown_bytes"`
}

type latency struct {
	P50 float64 `json:"p50_us"`
	P99 float64 `json:"p99_us"`
}

// collector is how the garbage collector of the server did.
type collector struct {
	Cycles   int     `json:"gc_cycles"`
	CPU      float64 `json:"gc_cpu_seconds"`
	TotalCPU float64 `json:"cpu_seconds"`
	PauseP50 float64 `json:"gc_pause_p50_us"`
	PauseP99 float64 `json:"gc_pause_p99_us"`
	PauseMax float64 `json:"gc_pause_max_us"`
	HeapLive float64 `json:"heap_live_bytes"`
}

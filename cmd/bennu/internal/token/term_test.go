package token

import (
	"math"
	"math/big"
	"testing"
	"time"

	phx "github.com/bennu-go/bennu/token"
)

func TestTerms(t *testing.T) {
	for _, tt := range []struct {
		v            any
		elixir, json string
	}{
		{nil, "nil", "null"},
		{true, "true", "true"},
		{int64(-3), "-3", "-3"},
		{new(big.Int).Lsh(big.NewInt(1), 70), "1180591620717411303424", "1180591620717411303424"},
		{2.5, "2.5", "2.5"},
		{"a\x1b\"", `"a\x1b\""`, `"a\u001b\""`},
		{"\xff\x00", "<<255, 0>>", `{"base64":"/wA="}`},
		{phx.Atom("ok"), ":ok", `"ok"`},
		{phx.Atom("a b"), `:"a b"`, `"a b"`},
		{phx.Atom(""), `:""`, `""`},
		{phx.Tuple{phx.Atom("user"), int64(1)}, "{:user, 1}", `["user",1]`},
		{[]any{}, "[]", "[]"},
		{phx.Map{phx.Atom("id"): int64(1), "x": nil, int64(2): phx.Map{}}, `%{"x" => nil, 2 => %{}, id: 1}`, `{"2":{},"id":1,"x":null}`},
		{phx.Map{"\xff": "<&>"}, `%{<<255>> => "<&>"}`, `{"<<255>>":"<&>"}`},
	} {
		if got := elixir(tt.v); got != tt.elixir {
			t.Errorf("got %s, want %s", got, tt.elixir)
		}
		if got := string(toJSON(tt.v)); got != tt.json {
			t.Errorf("got %s, want %s", got, tt.json)
		}
	}
}

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 seconds", 119 * time.Second: "119 seconds", 2 * time.Minute: "2 minutes", 47 * time.Hour: "47 hours", 24*time.Hour - time.Second: "24 hours",
		90 * time.Minute: "90 minutes", 36*time.Hour + 40*time.Minute: "37 hours", 59 * time.Hour: "2 days", 61 * time.Hour: "3 days", 48 * time.Hour: "2 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	// A token may be of any time.
	for ms, want := range map[int64]string{
		0: "1970-01-01T00:00:00Z", 1_700_000_000_123: "2023-11-14T22:13:20.123Z", math.MaxInt64: "9223372036854775807 ms", math.MinInt64: "-9223372036854775808 ms",
	} {
		if got := stamp(time.UnixMilli(ms)); got != want {
			t.Errorf("%d: %s, want %s", ms, got, want)
		}
	}
}

package client

import (
	"net/url"
	"strings"
	"testing"
)

// The text of an error reply has the field of an invalid payload, and no other part of the
// response.
func TestReplyErrorText(t *testing.T) {
	const replied = `client: the server replied with status "error"`
	for response, want := range map[string]string{
		`{"reason":"full"}`:                                    replied + ": full",
		`{"reason":"invalid payload","field":"from.x"}`:        replied + `: invalid payload (field "from.x")`,
		`{"field":"a\u001bb","secret":"sesame"}`:               replied + ` (field "a\x1bb")`,
		`{"reason":7,"field":["x"]}`:                           replied,
		`{"reason":"full","field":""}`:                         replied + ": full",
		`[1]`:                                                  replied,
		`{"field":"` + strings.Repeat("x", 2*maxQuoted) + `"}`: replied + ` (field "` + strings.Repeat("x", maxQuoted) + `...")`,
	} {
		err := Reply{Status: "error", Response: Payload{Data: []byte(response)}}.err()
		if got := err.Error(); got != want {
			t.Errorf("%s: %s, want %s", response, got, want)
		}
	}
	binary := Reply{Status: "busy", Response: Payload{Data: []byte(`{"field":"x"}`), Binary: true}}.err()
	if got, want := binary.Error(), `client: the server replied with status "busy"`; got != want {
		t.Errorf("bytes: %s, want %s", got, want)
	}
}

func TestQuery(t *testing.T) {
	var loop any
	m := map[string]any{}
	m["m"], loop = m, m
	var none *int
	one := 1
	for _, c := range []struct {
		before string
		params map[string]any
		want   string
	}{
		{"", nil, "vsn=2.0.0"},
		{"x=y", map[string]any{"b": 1, "a": "ü&="}, "x=y&a=%C3%BC%26%3D&b=1&vsn=2.0.0"},
		{"", map[string]any{"a": nil, "b": none, "c": &one, "d": []byte("raw"), "e": []any{}}, "c=1&d=raw&vsn=2.0.0"},
		{"", map[string]any{"m": map[int]bool{2: true, 1: false}}, "m[1]=false&m[2]=true&vsn=2.0.0"},
	} {
		if got, err := query(c.before, c.params, version2); err != nil || got != c.want {
			t.Errorf("%v: %s, %v; want %s", c.params, got, err, c.want)
		}
	}
	if _, err := query("", map[string]any{"x": loop}, version2); err == nil {
		t.Error("a map within itself was written")
	}
}

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://h/socket":               "http://h/socket",
		"wss://h:1/socket/":           "https://h:1/socket",
		"https://h/a/b/websocket?x=1": "https://h/a/b?x=1",
		"http://h/socket/longpoll#f":  "http://h/socket",
		"http://u:p@h":                "http://u:p@h",
		"ws://h/a%2Fb/websocket":      "http://h/a%2Fb",
		" WSS://h/socket\n":           "https://h/socket",
	} {
		if u, err := parseURL(raw); err != nil || u.String() != want {
			t.Errorf("%s: %v, %v; want %s", raw, u, err, want)
		}
	}
}

func TestSameServer(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"https://a/", "https://a/x", true},
		{"https://a/", "https://A:443/", true},
		{"http://a:80/", "http://a/", true},
		{"http://a/", "https://a/", true},
		{"http://a:4000/", "https://a:4000/", true},
		{"ws://a/", "http://a/", true},
		{"http://[0:0::1]:4000/", "http://[::1]:4000/", true},
		{"https://a/", "http://a/", false},
		{"https://a/", "wss://b/", false},
		{"https://a/", "https://a:444/", false},
		{"http://a/", "https://a:80/", false},
	} {
		from, to := must(url.Parse(c.from)), must(url.Parse(c.to))
		if got := sameServer(from, to); got != c.want {
			t.Errorf("from %s to %s: %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestDelays(t *testing.T) {
	for _, table := range []delays{reconnectTable, rejoinTable} {
		for try := range 30 {
			d := table.at(try)
			for range 100 {
				if got := table.after(try); got < d-d/4 || got > d+d/4 {
					t.Fatalf("try %d: %v, not within a quarter of %v", try, got, d)
				}
			}
		}
	}
	if reconnectTable.at(1) != 10e6 || reconnectTable.at(9) != 2e9 || reconnectTable.at(1000) != 5e9 || rejoinTable.at(4) != 10e9 {
		t.Error("the tables are wrong")
	}
}

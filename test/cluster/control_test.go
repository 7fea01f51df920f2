package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/bennu-go/bennu"
)

// What the test asks of a node, each a path of its control, and what it is answered.

// publishing asks for numbered messages: so many at once, or with Every one in each such
// time until "stop".
type publishing struct {
	Topic, From string
	Messages    int
	Size        int // of padding
	Every       time.Duration
}

// published is what became of them.
type published struct {
	Last    int           // the last number, all times counted
	Refused int           // with pubsub.ErrBufferFull, this time
	Slowest time.Duration // call
	Err     string        // any other error
}

// listening asks for a tally of a topic, which begins when no message can be missed any
// more.
type listening struct{ Topic string }

// heard is a tally as it stands.
type heard struct {
	From   map[string]count
	Gaps   int // how often the subscriber was told of one
	Missed int // how many messages of the topic the adapter counts as missed
}

// casting asks for Endpoint.Broadcast.
type casting struct {
	Topic, Event string
	Size         int
}

// cast is what became of it: "", or which error.
type cast struct{ Err string }

// disconnecting asks for Endpoint.Disconnect.
type disconnecting struct{ ID string }

// hearing asks for Endpoint.Subscribe, or for the events that it has heard.
type hearing struct{ Topic string }

// stats are those of an endpoint. The error in them is text: it has to travel.
type stats struct {
	bennu.Stats
	Err string
}

// verb serves one request of the control.
func verb[In, Out any](mux *http.ServeMux, path string, f func(ctx context.Context, in In) (Out, error)) {
	mux.HandleFunc("POST /"+path, func(w http.ResponseWriter, r *http.Request) {
		var in In
		err := json.NewDecoder(r.Body).Decode(&in)
		var out Out
		if err == nil {
			out, err = f(r.Context(), in)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(out) // the test sees that it is cut
	})
}

// ask makes such a request.
func ask[Out any](c *http.Client, path string, in any) (out Out, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	r, err := c.Post("http://control/"+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return out, err
	case r.StatusCode != http.StatusOK:
		return out, fmt.Errorf("%s: %s", path, bytes.TrimSpace(text))
	}
	return out, json.Unmarshal(text, &out)
}

// numberOf reads a payload. What is no number comes from nobody.
func numberOf(payload []byte) (n number) {
	if err := json.Unmarshal(payload, &n); err != nil {
		return number{From: fmt.Sprintf("%.40q", payload)}
	}
	return n
}

var errNoFlow = errors.New("nothing is being published there")

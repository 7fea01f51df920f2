// Package conformance holds wire cases for servers of the Phoenix Channels
// protocol, and drives a server with them. The real server passes all of them. It
// knows nothing of how the server is built: everything goes over TCP.
//
// A server under test runs the application that the folder fixture implements for
// bennu; the cases name its topics and events. One case looks like this:
//
//	{"id": "HB-01", "given": "heartbeat", "steps": [
//	  ["ws", "A", "/socket/websocket?vsn=2.0.0", {}, 101, {}],
//	  ["tx", "A", [null, "1", "phoenix", "heartbeat", {}]],
//	  ["rx", "A", [null, "1", "phoenix", "phx_reply", {"status": "ok", "response": {}}]]]}
//
// [Step] lists the verbs.
package conformance

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed cases.json
var casesJSON []byte

// A Case is a list of steps that a server passes when none of them fails.
type Case struct {
	ID    string `json:"id"`    // two letters for the subject, and a number: "JN-03"
	Given string `json:"given"` // what the case shows
	Steps []Step `json:"steps"`
}

// A Step is one action, or one expectation. In a case it is a list of the verb and
// its arguments. A connection is named by any string, and a second one of the same name
// takes its place.
//
//	ws      conn path headers status expected   upgrade; expected has headers by lower-case name, and "body"
//	wsomit  conn path names status              upgrade without the named headers
//	wshdr   conn path headers status            upgrade with these headers in place of the usual ones
//	tx      conn value                          send a text frame with this JSON
//	raw     conn text                           send a text frame with this text
//	txb     conn hex                            send a binary frame
//	frame   conn opcode hex {fin, mask, rsv}    send a frame that may be wrong
//	rx      conn value                          receive text: this JSON
//	rxexact conn text                           receive text: exactly this
//	rxb     conn hex                            receive binary
//	pong    conn hex                            receive a pong
//	close   conn code                           receive a close frame
//	none    conn ms                             receive nothing for so long, and stay open
//	wait    ms                                  let time pass
//	http    method path headers body expected   a whole request; body is text, null, or {"repeat": [text, n]}
//	bghttp  name method path headers body       a request that is left open
//	await   name expected                       its answer
//
// In expected headers null stands for no such header, and "<rfc6455>" for any value.
//
// An expected HTTP answer has "status", and may have "headers"; "body", the text;
// "exact", the JSON of the whole body; "json", the listed keys of the body. In "json" the
// value "*" stands for anything that is not empty, "$save:x" keeps the value, "$x" is
// the value kept, "$not:x" is another one; "messages" has pairs ["json", v] for strings to
// be parsed. In what is sent, $PORT is the port of the server and $x a value kept.
type Step struct {
	Verb string
	Args []json.RawMessage
}

// UnmarshalJSON takes the list form of a step.
func (s *Step) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	var line bytes.Buffer // arguments stand in errors as they are
	if err := json.Compact(&line, data); err != nil {
		return err
	}
	if err := json.Unmarshal(line.Bytes(), &list); err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("conformance: a step has no verb")
	}
	if err := json.Unmarshal(list[0], &s.Verb); err != nil {
		return fmt.Errorf("conformance: verb of a step: %w", err)
	}
	s.Args = list[1:]
	return nil
}

// Load gives the cases that come with this package, in the order of their file.
func Load() ([]Case, error) {
	var cases []Case
	if err := json.Unmarshal(casesJSON, &cases); err != nil {
		return nil, fmt.Errorf("conformance: cases.json: %w", err)
	}
	return cases, nil
}

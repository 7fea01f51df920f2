// Package conformance has the wire cases, and drives a server of Phoenix Channels with them over
// TCP. Phoenix passes all of them.
//
// The server must run the application of the cases, which names their topics and events; the
// folder fixture is that application for bennu. A case looks like this:
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

// A Case is a list of steps. A server passes it if no step fails.
type Case struct {
	ID    string `json:"id"`    // two letters for the subject, and a number: "JN-03"
	Given string `json:"given"` // what the case shows
	Steps []Step `json:"steps"`
}

// A Step is an action or an expectation: in a case, a list of a verb and its arguments. Any string
// names a connection; a later connection of that name replaces it.
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
// In expected headers, null means that the header is missing, and "<rfc6455>" any value.
//
// An expected HTTP answer has "status", and may have "headers"; "body", its text; "exact", the
// JSON of the whole body; and "json", some keys of the body. In "json", "*" is any value that is
// not empty, "$save:x" saves the value, "$x" is the saved value, and "$not:x" is any other. An
// element ["json", v] of "messages" is a string with the JSON text of v. In what is sent, $PORT
// is the port of the server, and $x a saved value.
type Step struct {
	Verb string
	Args []json.RawMessage
}

// UnmarshalJSON reads the list form of a step.
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

// Load returns the cases in the order of cases.json.
func Load() ([]Case, error) {
	var cases []Case
	if err := json.Unmarshal(casesJSON, &cases); err != nil {
		return nil, fmt.Errorf("conformance: cases.json: %w", err)
	}
	return cases, nil
}

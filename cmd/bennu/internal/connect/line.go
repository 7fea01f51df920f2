package connect

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/bennu-go/bennu/wire"
)

// A line is a parsed line of input.
type line struct {
	verb    string // the command's name; "" for an empty line
	topic   string // "" is the current one
	event   string
	payload wire.Payload // the zero Payload is the empty object
}

// A verb is a command of the prompt.
type verb struct {
	name, args, about string
	topics            bool // its first word is a topic, or may be
}

// verbs has the commands in the order in which help shows them.
var verbs = []verb{
	{"join", "TOPIC [JSON]", "join a topic, which becomes the current one", true},
	{"leave", "[TOPIC]", "leave a topic", true},
	{"use", "TOPIC", "make a joined topic the current one", true},
	{"push", "[TOPIC] EVENT [JSON]", "push an event; hex:00ff pushes bytes", true},
	{"who", "[TOPIC]", "list who is present", true},
	{"topics", "", "list the topics and their state", false},
	{"heartbeat", "", "time a round trip to the server", false},
	{"disconnect", "", "close the connection and stay here", false},
	{"reconnect", "", "connect anew, and join the topics again", false},
	{"help", "", "show this", false},
	{"quit", "", "leave everything and end; so do Ctrl+D and Ctrl+C", false},
}

func findVerb(name string) *verb {
	if name == "exit" {
		name = "quit"
	}
	for i := range verbs {
		if verbs[i].name == name {
			return &verbs[i]
		}
	}
	return nil
}

// parser parses typed lines. It knows the joined topics, to tell a topic from an event.
type parser struct {
	text   string
	at     int
	joined func(topic string) bool
}

// parseLine reads a line. Its error is a *typo.
func parseLine(text string, joined func(topic string) bool) (line, error) {
	p := parser{text: text, joined: joined}
	first, at := p.word()
	v := findVerb(first)
	switch {
	case first == "":
		return line{}, nil
	case v == nil:
		return p.bare(at, first)
	}
	l := line{verb: v.name}
	var err error
	switch v.name {
	case "join":
		if l.topic, err = p.need("a topic: join room:lobby"); err == nil {
			l.payload, err = p.payload()
		}
		return l, err
	case "use":
		l.topic, err = p.need("a topic: use room:lobby")
	case "leave", "who":
		l.topic, _ = p.word()
	case "push":
		return p.push(l)
	}
	if err == nil {
		err = p.end(v)
	}
	return l, err
}

// bare parses a line that does not begin with a command: an event for the current topic.
func (p *parser) bare(at int, event string) (line, error) {
	l := line{verb: "push", event: event}
	if isJSON(event) {
		return l, mistype(p.text, at, "an event stands before its payload: shout {\"body\":\"hi\"}")
	}
	next := p.rest()
	if like := similar(event); like != "" && !isJSON(next) {
		return l, mistype(p.text, at, "is this %s? An event of this name is pushed with: push %s", like, event)
	}
	var err error
	l.payload, err = p.payload()
	return l, err
}

func (p *parser) push(l line) (line, error) {
	first, err := p.need("an event: push shout {\"body\":\"hi\"}")
	if err != nil {
		return l, err
	}
	next := p.rest()
	l.event = first
	if p.joined(first) || strings.Contains(first, ":") && next != "" && !isJSON(next) {
		l.topic = first
		if next == "" || isJSON(next) {
			return l, mistype(p.text, p.at, "an event is missing here: push %s shout", first)
		}
		l.event, _ = p.word()
	}
	l.payload, err = p.payload()
	return l, err
}

// word takes the next word, and returns its position. At the end the word is "".
func (p *parser) word() (word string, at int) {
	p.space()
	at = p.at
	for p.at < len(p.text) && !isBlank(p.text[p.at]) {
		p.at++
	}
	return p.text[at:p.at], at
}

// need is word, but a missing word is a mistake.
func (p *parser) need(what string) (string, error) {
	w, at := p.word()
	if w == "" {
		return "", mistype(p.text, at, "%s", what)
	}
	return w, nil
}

// rest returns the text that is not parsed yet.
func (p *parser) rest() string {
	p.space()
	return p.text[p.at:]
}

func (p *parser) space() {
	for p.at < len(p.text) && isBlank(p.text[p.at]) {
		p.at++
	}
}

func (p *parser) end(v *verb) error {
	switch rest := p.rest(); {
	case isJSON(rest):
		return mistype(p.text, p.at, "%s is a command and takes no payload; an event of this name is pushed with: push %s", v.name, v.name)
	case rest != "":
		return mistype(p.text, p.at, "nothing stands here: %s", strings.TrimSpace(v.name+" "+v.args))
	}
	return nil
}

// payload reads the rest of the line: JSON, bytes in hexadecimal, or nothing.
func (p *parser) payload() (wire.Payload, error) {
	rest := strings.TrimRight(p.rest(), " \t\r\n")
	if rest == "" {
		return wire.Payload{}, nil
	}
	if digits, ok := strings.CutPrefix(rest, "hex:"); ok {
		data, err := hex.DecodeString(digits)
		if err != nil {
			return wire.Payload{}, mistype(p.text, p.at+len("hex:")+len(data)*2, "bytes are written as pairs of hexadecimal digits: hex:00ff")
		}
		return wire.Payload{Data: data, Binary: true}, nil
	}
	text := p.text[:p.at+len(rest)]
	data, err := parseJSON(text, p.at)
	return wire.Payload{Data: data}, err
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// isJSON reports whether text looks like a payload rather than a name.
func isJSON(text string) bool {
	if text == "" {
		return false
	}
	w, _, _ := strings.Cut(text, " ")
	return strings.ContainsRune("{[\"'-", rune(text[0])) || '0' <= text[0] && text[0] <= '9' ||
		w == "true" || w == "false" || w == "null" || strings.HasPrefix(w, "hex:")
}

// similar returns the command for which a word may be a slip, or "".
func similar(word string) string {
	for _, v := range verbs {
		if len(word) > 2 && slip(word, v.name) {
			return v.name
		}
	}
	return ""
}

// slip reports whether two words differ by one missing or additional letter, or by two swapped letters. A
// different letter does not count.
func slip(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0] {
		return true
	}
	return len(a)+len(b) == 1
}

// usage returns the text of help.
func usage() string {
	var b strings.Builder
	for _, v := range verbs {
		fmt.Fprintf(&b, "  %-27s %s\n", strings.TrimSpace(v.name+" "+v.args), v.about)
	}
	fmt.Fprintf(&b, "  %-27s %s\n", "EVENT [JSON]", "push an event to the current topic")
	b.WriteString("  Tab completes commands, topics and events; the up arrow brings back earlier lines.\n")
	return b.String()
}

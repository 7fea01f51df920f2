package scaffold

import (
	"errors"
	"fmt"
	"go/build"
	"go/token"
	"io"
	"regexp"
	"strings"
	"unicode"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/transport"
)

// Names are what templates call things.
type names struct {
	Package string
	Name    string // chat_room: in files and topics
	Lower   string // chatRoom: a Go identifier that is not exported
	Upper   string // ChatRoom: the same behind a verb

	Topic   string // the pattern of a channel
	Example string // a topic that fits it
	Other   string // another one, "" when there is none

	TokenParam string // of a socket, "" for none
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// parseName reads a name, in either of chat_room and ChatRoom.
func parseName(text string) (names, error) {
	name := snake(text)
	if !namePattern.MatchString(name) || len(name) > 64 {
		return names{}, cli.Usagef("%q cannot be a name; use letters, digits and _, as in chat_room", redact.Text(text))
	}
	n := names{Name: name}
	for word := range strings.SplitSeq(name, "_") {
		n.Upper += strings.ToUpper(word[:1]) + word[1:]
	}
	n.Lower = strings.ToLower(n.Upper[:1]) + n.Upper[1:]
	if token.IsKeyword(n.Lower) {
		return names{}, cli.Usagef("%s is a word of Go; take another name", n.Lower)
	}
	return n, nil
}

// snake writes ChatRoom as chat_room, and leaves chat_room as it is.
func snake(text string) string {
	var b strings.Builder
	for i, c := range text {
		if unicode.IsUpper(c) && i > 0 && !strings.HasSuffix(b.String(), "_") {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// checkFileName finds names that make Go leave a file out: x_test.go, x_windows.go.
func checkFileName(name string) error {
	nowhere := build.Context{GOOS: "none", GOARCH: "none", Compiler: build.Default.Compiler,
		OpenFile: func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("package p\n")), nil }}
	if ok, err := nowhere.MatchFile(".", name); err != nil || !ok || strings.HasSuffix(name, "_test.go") {
		return cli.Usagef("a file %s would be for some systems or for tests alone; take another name", name)
	}
	return nil
}

// setTopic sets the pattern of a channel, and topics for its tests.
func (n *names) setTopic(pattern string) error {
	if pattern == "" {
		pattern = n.Name + ":*"
	}
	if err := checkTopic(pattern); err != nil {
		return cli.Usagef("--topic %q %w", redact.Text(pattern), err)
	}
	n.Topic, n.Example, n.Other = pattern, pattern, ""
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		n.Example, n.Other = prefix+"lobby", prefix+"other"
	}
	return nil
}

// setTokenParam sets the parameter of the URL that a socket takes a token from. Checks know
// which names are good.
func (n *names) setTokenParam(name string) error {
	if err := (&transport.Checks{TokenParam: name}).Validate(); err != nil {
		return cli.Usagef("--token-param: %w", err)
	}
	n.TokenParam = name
	return nil
}

// checkTopic has the rules of SocketHandler.Channel, which would panic at start.
func checkTopic(pattern string) error {
	const longest = 255 - len("lobby") // bytes of a topic, and room for what the tests put behind
	switch {
	case strings.Contains(strings.TrimSuffix(pattern, "*"), "*"):
		return errors.New("has a * that is not its last character")
	case len(pattern) > longest:
		return fmt.Errorf("has %d bytes, at most %d are good for it", len(pattern), longest)
	case strings.ContainsFunc(pattern, func(c rune) bool { return !unicode.IsGraphic(c) }):
		return errors.New("has characters that cannot be seen")
	case pattern == "phoenix":
		return errors.New("is the protocol's own")
	}
	return nil
}

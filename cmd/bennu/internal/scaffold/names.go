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
	"unicode/utf8"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/topic"
	"github.com/bennu-go/bennu/transport"
)

// Names has the forms of a name that templates use.
type names struct {
	Package string
	Name    string // chat_room: in files and topics
	Lower   string // chatRoom: a Go identifier that is not exported
	Upper   string // ChatRoom: the same behind a verb

	Topic   string // the pattern of a channel
	Example string // a topic that fits it
	Other   string // another one, "" when there is none

	TokenParam string // of a socket, "" for none
	History    bool   // the topics are kept
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// longestName bounds a name, in bytes.
const longestName = 64

// parseName parses a name in one of the forms chat_room and ChatRoom.
func parseName(text string) (names, error) {
	name := snake(text)
	if !namePattern.MatchString(name) || len(name) > longestName {
		return names{}, cli.Usagef("%q cannot be a name; %s", redact.Text(text), nameMistake(text))
	}
	n := names{Name: name}
	for word := range strings.SplitSeq(name, "_") {
		n.Upper += strings.ToUpper(word[:1]) + word[1:]
	}
	n.Lower = strings.ToLower(n.Upper[:1]) + n.Upper[1:]
	if token.IsKeyword(n.Lower) {
		return names{}, cli.Usagef("%s is a word of Go; take another name, such as %[1]s_room", n.Lower)
	}
	return n, nil
}

// checkSocketName refuses names that clients append to the path of a socket, such as websocket.
func (n *names) checkSocketName() error {
	if n.Name == "websocket" || n.Name == "longpoll" {
		return cli.Usagef("clients add /%s to the path of a socket by themselves; take another name, such as user", n.Name)
	}
	return nil
}

// nameMistake says what is wrong with a name, and what to write.
func nameMistake(text string) string {
	instead := strings.Trim(regexp.MustCompile(`[-. _]+`).ReplaceAllString(snake(text), "_"), "_")
	odd := strings.IndexFunc(text, func(c rune) bool { return c != '_' && !isLetter(c) && !isDigit(c) })
	switch {
	case text == "":
		return "it is empty; use letters, digits and _, as in chat_room"
	case strings.ContainsAny(text, `/\`):
		return "use letters, digits and _, as in chat_room; --dir names another directory"
	case len(text) > longestName:
		return fmt.Sprintf("it has %d bytes; use at most %d", len(text), longestName)
	case odd >= 0 && namePattern.MatchString(instead) && strings.ContainsAny(text, "-. "):
		return "use letters, digits and _: " + instead
	case odd >= 0:
		c, _ := utf8.DecodeRuneInString(text[odd:])
		return fmt.Sprintf("use the letters a to z, digits and _, as in chat_room: %q is none of these", c)
	case isDigit(rune(text[0])):
		return "it begins with a digit, and a name begins with a letter, as in chat_room"
	case instead == "":
		return "it has no letter; use letters, digits and _, as in chat_room"
	case isDigit(rune(instead[0])):
		return "a digit comes before its first letter, and a name begins with a letter, as in chat_room"
	}
	return "_ stands between words, once: " + instead
}

func isLetter(c rune) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isDigit(c rune) bool { return '0' <= c && c <= '9' }

// snake converts ChatRoom to chat_room and HTTPRoom to http_room, and leaves chat_room as it is.
func snake(text string) string {
	var b strings.Builder
	runes := []rune(text)
	for i, c := range runes {
		begins := i > 0 && runes[i-1] != '_' && unicode.IsUpper(c) &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if begins {
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
		return cli.Usagef("the go command would use a file %s only for some systems or for tests; take another name", name)
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

// setTokenParam sets the parameter of the URL from which a socket takes a token. bennu checks the name.
func (n *names) setTokenParam(name string) error {
	if err := seam.Validate(&transport.Checks{TokenParam: name}); err != nil {
		return cli.Usagef("--token-param: %w", err)
	}
	n.TokenParam = name
	return nil
}

// checkTopic checks a pattern by the rules of SocketHandler.Channel, which would panic at start.
func checkTopic(pattern string) error {
	const longest = 255 - len("lobby") // bytes of a topic, and room for what the tests put behind
	before, part, foreign := topic.CutForeign(pattern)
	switch {
	case foreign:
		return fmt.Errorf("has the part %q, which matches only itself; write %q", part, before+"*")
	case strings.Contains(strings.TrimSuffix(pattern, "*"), "*"):
		return errors.New("has a * that is not its last character")
	case len(pattern) > longest:
		return fmt.Errorf("has %d bytes; use at most %d", len(pattern), longest)
	case strings.ContainsFunc(pattern, func(c rune) bool { return !unicode.IsGraphic(c) }):
		return errors.New("has invisible characters")
	case pattern == "phoenix":
		return errors.New("is the protocol's own")
	}
	return nil
}

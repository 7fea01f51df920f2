package demo

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/bennu-go/bennu/examples/hello"
)

// handled has the functions of examples/hello that a message of the page calls. A key is the event and
// the beginning of the topic, which is also the name of the file.
var handled = map[string][]string{
	"ping phx_join":      {"joinPing"},
	"ping ping":          {"pingChannel.ping"},
	"ping hello":         {"hello.Validate", "pingChannel.hello"},
	"ping ding_me":       {"pingChannel.dingMe", "pingChannel.ding"},
	"room phx_join":      {"joinRoom", "roomChannel.arrive"},
	"room phx_leave":     {"roomChannel.Terminate"},
	"room shout":         {"roomChannel.shout"},
	"inventory phx_join": {"inventory.join", "itemChannel.show"},
	"inventory take":     {"itemChannel.take", "itemChannel.change"},
	"inventory restock":  {"itemChannel.restock", "itemChannel.change"},
	"fragile phx_join":   {"fragiles", "fragileChannel.beat"},
	"fragile crash":      {"fragileChannel.crash"},
}

// An excerpt is the text of a function, with the comment above it.
type excerpt struct {
	File string `json:"file"`
	Line int    `json:"line"` // of its first line
	Code string `json:"code"`
}

// handlersJSON has the excerpts that the page shows, by key of handled, as JSON.
func handlersJSON() ([]byte, error) {
	all := map[string][]excerpt{}
	for key, names := range handled {
		topic, _, _ := strings.Cut(key, " ")
		for _, name := range names {
			e, err := cut(topic+".go", name)
			if err != nil {
				return nil, err
			}
			all[key] = append(all[key], e)
		}
	}
	return json.Marshal(all)
}

// cut finds a function, or a method as type.method, in a file that gofmt has formatted.
func cut(file, name string) (excerpt, error) {
	source, err := hello.Source.ReadFile(file)
	if err != nil {
		return excerpt{}, err
	}
	head := name
	if receiver, method, found := strings.Cut(name, "."); found {
		head = `\(\w+ \*?` + receiver + `\) ` + method
	}
	begin := regexp.MustCompile(`(?m)^((//.*\n)*)func ` + head + `\(`).FindIndex(source)
	if begin == nil {
		return excerpt{}, fmt.Errorf("there is no %s in %s", name, file)
	}
	code := string(source[begin[0]:])
	end := regexp.MustCompile(`(?m)^(func .*)?\}$`).FindStringIndex(code) // "}", or a function on one line
	return excerpt{file, 1 + strings.Count(string(source[:begin[0]]), "\n"), code[:end[1]]}, nil
}

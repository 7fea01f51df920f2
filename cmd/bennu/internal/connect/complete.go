package connect

import (
	"slices"
	"strings"
)

// A completer completes the word before the cursor when Tab is pressed: to the whole word if only one
// fits, otherwise to the common beginning of all that fit.
type completer struct {
	topics func() []string // joined
	left   func() []string // joined before
	events func() []string // seen
	show   func(string)    // the choices, when there is nothing to add
}

// complete implements the callback AutoCompleteCallback of term.Terminal.
func (c *completer) complete(line string, pos int, key rune) (newLine string, newPos int, ok bool) {
	if key != '\t' {
		return "", 0, false
	}
	head, tail := line[:pos], line[pos:]
	start := strings.LastIndexAny(head, " \t") + 1
	choices := c.choices(strings.Fields(head[:start]), head[start:])
	if len(choices) == 0 {
		return line, pos, true // the key is handled, and adds no character
	}
	common := choices[0]
	for _, choice := range choices[1:] {
		common = commonPrefix(common, choice)
	}
	if len(choices) == 1 {
		common += " "
		tail = strings.TrimPrefix(tail, " ")
	} else if common == head[start:] {
		c.show("  " + strings.Join(choices, "  ") + "\n")
	}
	return head[:start] + common + tail, start + len(common), true
}

// choices returns the words that begin with begun and may follow words.
func (c *completer) choices(words []string, begun string) []string {
	var all []string
	switch {
	case len(words) == 0:
		for _, v := range verbs {
			all = append(all, v.name)
		}
		if begun != "" || len(c.topics()) > 0 {
			all = append(all, c.events()...)
		}
	case len(words) == 1 && words[0] == "push":
		all = append(c.topics(), c.events()...)
	case len(words) == 2 && words[0] == "push" && slices.Contains(c.topics(), words[1]):
		all = c.events()
	case len(words) == 1 && words[0] == "join":
		all = c.left()
	case len(words) == 1:
		if v := findVerb(words[0]); v != nil && v.topics {
			all = c.topics()
		}
	}
	all = slices.DeleteFunc(slices.Clone(all), func(w string) bool { return !strings.HasPrefix(w, begun) || strings.ContainsAny(w, " \t") })
	slices.Sort(all)
	return slices.Compact(all)
}

func commonPrefix(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return strings.ToValidUTF8(a[:n], "")
}

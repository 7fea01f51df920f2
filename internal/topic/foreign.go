// Package topic finds mistakes in the patterns of topics.
package topic

import (
	"regexp"
	"strings"
	"sync"
)

// foreignForms are what routers, brokers and regular expressions write for a part that
// differs. Topics that may be meant as they stand, such as "lang:C++", "quotes:^GSPC",
// "lib::Vec" and "a.b.*", are none of them.
var foreignForms = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(strings.Join([]string{
		`\{[^{}]*\}`,                 // {user}, #{user}, ${user}, {2,3}
		`<\w*>`,                      // <user>
		`(?:^|[:/])\[[^\]]*\]`,       // [user], [a-z]
		`(?:^|[:/]):[a-z_]\w*`,       // :user
		`%[sdvqx](?:$|[:/])`,         // %d
		`(?:^|[:/])[+#>?](?:$|[:/])`, // + and # of MQTT, > of NATS, ? of files
		`(?:^|[:/(])\.[*+]`,          // .* .+
		`^\^\w+:`,                    // ^room:
		`\\[dDwWsS](?:$|\W)`,         // \d+
		`\(\?`,                       // (?P<user>
		`\([^()|]*\|[^()]*\)`,        // (a|b)
	}, "|"))
})

// CutForeign finds the part of a pattern that its author meant to stand for something else. before is
// the text in front of it.
func CutForeign(pattern string) (before, part string, found bool) {
	loc := foreignForms().FindStringIndex(pattern)
	if loc == nil {
		return "", "", false
	}
	begin, end := loc[0], loc[1]
	if begin > 0 && strings.IndexByte(":/", pattern[begin]) >= 0 {
		begin++ // it separates the part from what is before
	}
	return pattern[:begin], strings.TrimRight(pattern[begin:end], ":/"), true
}

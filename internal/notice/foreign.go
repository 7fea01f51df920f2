package notice

import (
	"log/slog"
	"unicode/utf8"
)

// maxForeign bounds the bytes of a client's text in a log line.
const maxForeign = 256

// Foreign returns an attribute whose value a client chose, cut to 256 bytes. The log escapes and
// masks it.
func Foreign(key, value string) slog.Attr {
	if len(value) > maxForeign {
		cut := maxForeign
		for cut > 0 && !utf8.RuneStart(value[cut]) {
			cut--
		}
		value = value[:cut] + "..."
	}
	return slog.String(key, value)
}

package notice

import (
	"log/slog"
	"unicode/utf8"
)

// maxForeign bounds a text in a line that a client chose.
const maxForeign = 256

// Foreign is an attribute whose value a client chose: it is cut. Who writes the log escapes
// and masks it.
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

package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// mostDifferences bounds the differences that are shown for one failure.
const mostDifferences = 10

// differences lists the places at which two JSON texts differ. The list is empty if one is not JSON, and
// if the values have nothing in common.
func differences(want, got string) []string {
	w, wErr := parse(want)
	g, gErr := parse(got)
	if wErr != nil || gErr != nil {
		return nil
	}
	var d differ
	d.compare("", w, g)
	if len(d) == 1 && strings.HasPrefix(d[0], ":") {
		return nil
	}
	if len(d) > mostDifferences {
		return append(d[:mostDifferences], fmt.Sprintf("and %d more", len(d)-mostDifferences))
	}
	return d
}

func parse(text string) (v any, err error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber() // 1 and 1.0 differ
	err = dec.Decode(&v)
	return v, err
}

// compact writes JSON in one line, and leaves other texts as they are.
func compact(text string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return text
	}
	return b.String()
}

// A differ collects differences.
type differ []string

func (d *differ) add(path, format string, args ...any) {
	*d = append(*d, path+": "+fmt.Sprintf(format, args...))
}

func (d *differ) compare(path string, want, got any) {
	switch want := want.(type) {
	case string:
		if want == "*" && got != nil && got != "" {
			return // the case accepts any value
		}
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			d.compareMaps(path, want, got)
			return
		}
	case []any:
		if got, ok := got.([]any); ok {
			d.compareLists(path, want, got)
			return
		}
	}
	if w, g := written(want), written(got); w != g {
		d.add(path, "want %s, got %s", w, g)
	}
}

func (d *differ) compareMaps(path string, want, got map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[k]; ok {
			d.compare(path+"."+k, want[k], g)
		} else {
			d.add(path+"."+k, "want %s, got nothing", written(want[k]))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			d.add(path+"."+k, "want nothing, got %s", written(got[k]))
		}
	}
}

func (d *differ) compareLists(path string, want, got []any) {
	for i := range max(len(want), len(got)) {
		at := path + "[" + strconv.Itoa(i) + "]"
		switch {
		case i >= len(got):
			d.add(at, "want %s, got nothing", written(want[i]))
		case i >= len(want):
			d.add(at, "want nothing, got %s", written(got[i]))
		default:
			d.compare(at, want[i], got[i])
		}
	}
}

// written returns a decoded value as JSON.
func written(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v) // cannot happen: v was parsed
	}
	return strings.TrimSpace(b.String())
}

package history_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/history"
)

func TestOffset(t *testing.T) {
	o := history.OffsetOf(history.Place{Epoch: "e7k2m6x4", Offset: math.MaxUint64})
	if got := o.String(); got != "e7k2m6x4:18446744073709551615" {
		t.Errorf("%q", got)
	}
	text, err := json.Marshal(map[string]any{"since": o, "none": history.Offset{}})
	if err != nil || string(text) != `{"none":"","since":"e7k2m6x4:18446744073709551615"}` {
		t.Errorf("%s, %v", text, err)
	}
	var back struct{ Since, None history.Offset }
	if err := json.Unmarshal(text, &back); err != nil || back.Since != o || !back.None.IsZero() {
		t.Errorf("%+v, %v", back, err)
	}
	for _, bad := range []string{
		":", "e7k2m6x4", "e7k2m6x4:", ":1", "e7k2m6x:1", "e7k2m6x44:1", "E7K2M6X4:1", "e7k2m9x4:1", "e7k2m6x4:-1", "e7k2m6x4:+1",
		"e7k2m6x4: 1", "e7k2m6x4:1 ", "e7k2m6x4:18446744073709551616", "e7k2m6x4:000000000000000000001", "e7k2m6x4:1:2", "e7k2m6x4:0x1",
		"e7k2m6x4:" + strings.Repeat("1", 1<<20),
	} {
		if o, err := history.ParseOffset(bad); err == nil || !o.IsZero() {
			t.Errorf("%.40q: %v, %v", bad, o, err)
		}
	}
}

func FuzzParseOffset(f *testing.F) {
	f.Add("e7k2m6x4:88120")
	f.Add("e7k2m6x4:007")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := history.ParseOffset(text)
		if err != nil {
			if !o.IsZero() {
				t.Errorf("%q: %v and %v", text, o, err)
			}
			return
		}
		if len(text) > 29 {
			t.Errorf("%q is longer than an offset", text)
		}
		if again, err := history.ParseOffset(o.String()); err != nil || again != o {
			t.Errorf("%q: %v became %v, %v", text, o, again, err)
		}
	})
}

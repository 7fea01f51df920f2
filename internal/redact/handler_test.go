package redact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/slogtest"
	"time"
)

func TestHandlerConformance(t *testing.T) {
	var out *bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out = new(bytes.Buffer)
		return NewHandler(slog.NewJSONHandler(out, nil))
	}, func(t *testing.T) map[string]any { return line(t, out) })
}

func line(t *testing.T, out *bytes.Buffer) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(out.Bytes(), &m); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return m
}

// written logs through a Handler over JSON and returns what was written, without the
// fields that every line has.
func written(t *testing.T, log func(*slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log(slog.New(NewHandler(slog.NewJSONHandler(&out, nil))))
	m := line(t, &out)
	maps.DeleteFunc(m, func(k string, _ any) bool { return k == "time" || k == "level" || k == "msg" })
	return m
}

type (
	valuer  struct{ v slog.Value }
	text    string
	params  map[string]any
	account struct {
		Name     string `json:"name"`
		Password string `json:"pw"`
		Key      string `json:"api_key"`
		Left     string `json:"-"`
		Next     *account
		hidden   string
	}
	broken    struct{}
	nobody    struct{ a int }
	secretive struct{ Name string }
)

func (v valuer) LogValue() slog.Value         { return v.v }
func (s text) String() string                 { return "text " + string(s) }
func (broken) Error() string                  { panic("token=abc") }
func (*secretive) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "token=abc secretive") }
func (n *nobody) String() string              { return fmt.Sprint(n.a) }

func TestHandlerValues(t *testing.T) {
	type m = map[string]any
	loop := &account{Name: "a"}
	loop.Next = loop
	deep := any("end")
	for range 20 {
		deep = []any{deep}
	}
	tests := []struct {
		name string
		attr slog.Attr
		want any // of the attribute; nil if it is left out
	}{
		{"sensitive string", slog.String("Password", "abc"), Mask},
		{"sensitive number", slog.Int("session_id", 1), Mask},
		{"sensitive group", slog.Group("cookies", slog.String("a", "b")), Mask},
		{"sensitive valuer", slog.Any("token", valuer{slog.StringValue("abc")}), Mask},
		{"number", slog.Int("n", 1), 1.0},
		{"time", slog.Duration("d", time.Second), 1e9},
		{"nil", slog.Any("v", nil), nil},
		{"text", slog.String("uri", "/x?token=abc&y=1\n"), "/x?token=" + Mask + `&y=1\n`},
		{"group", slog.Group("g", slog.Int("n", 1), slog.Group("h", slog.String("jwt", "abc"), slog.String("s", "t")), slog.Int("z", 2)),
			m{"n": 1.0, "h": m{"jwt": Mask, "s": "t"}, "z": 2.0}},
		{"valuer", slog.Any("v", valuer{slog.AnyValue(valuer{slog.StringValue("csrf=abc")})}), "csrf=" + Mask},
		{"valuer of a group", slog.Any("v", valuer{slog.GroupValue(slog.String("token", "abc"), slog.Int("n", 1))}), m{"token": Mask, "n": 1.0}},
		{"valuer in a map", slog.Any("v", m{"a": valuer{slog.GroupValue(slog.String("token", "abc"))}}), m{"a": m{"token": Mask}}},
		{"value and attribute in a slice", slog.Any("v", []any{slog.IntValue(1), slog.String("token", "abc")}), []any{1.0, m{"token": Mask}}},
		{"map", slog.Any("v", m{"password": 1, "a": m{"Cookie": "abc", "b": []any{"jwt=abc", nil, true, 1.5}}}), m{"password": Mask, "a": m{"Cookie": Mask, "b": []any{"jwt=" + Mask, nil, true, 1.5}}}},
		{"formatter", slog.Any("v", &secretive{"abc"}), "token=" + Mask + " secretive"},
		{"named map", slog.Any("v", params{"a": params{"token": "abc"}}), m{"a": m{"token": Mask}}},
		{"map of strings", slog.Any("v", map[string]string{"csrf": "abc", "x": "y"}), m{"csrf": Mask, "x": "y"}},
		{"map with any keys", slog.Any("v", map[any]int{1: 2, "jwt": 3, true: 4}), m{"1": 2.0, "jwt": Mask, "(bool)": 4.0}},
		{"map of numbers", slog.Any("v", map[int]text{-1: "a"}), m{"-1": "text a"}},
		{"map of stringers", slog.Any("v", map[text]uint8{"a": 1}), m{"a": 1.0}},
		{"header", slog.Any("v", http.Header{"Authorization": {"Basic abc"}, "Host": {"h"}}), m{"Authorization": Mask, "Host": []any{"h"}}},
		{"values", slog.Any("v", url.Values{"token": {"abc"}, "x": {"y", "Bearer abc"}}), m{"token": Mask, "x": []any{"y", "Bearer " + Mask}}},
		{"URL", slog.Any("v", &url.URL{Scheme: "http", User: url.UserPassword("bob", "abc"), Host: "h", RawQuery: "jwt=abc"}), "http://" + Mask + "@h?jwt=" + Mask},
		{"URL in a struct", slog.Any("v", struct{ U url.URL }{url.URL{Scheme: "http", User: url.User("bob"), Host: "h"}}), m{"U": "http://" + Mask + "@h"}},
		{"cookies", slog.Any("v", []*http.Cookie{{Name: "_x", Value: "abc"}}), []any{"_x=" + Mask}},
		{"error", slog.Any("err", fmt.Errorf("at: %w", errors.New("password=abc"))), "at: password=" + Mask},
		{"error that panics", slog.Any("err", broken{}), "(panic: token=" + Mask + ")"},
		{"stringer", slog.Any("v", text("token=abc")), "text token=" + Mask},
		{"stringer that is nil", slog.Any("v", (*nobody)(nil)), nil},
		{"bytes", slog.Any("v", []byte(`{"token":"abc"}`)), `{"token":"` + Mask + `"}`},
		{"raw JSON", slog.Any("v", json.RawMessage(`{"token":"abc"}`)), `{"token":"` + Mask + `"}`},
		{"bytes that are no text", slog.Any("v", []byte{0xff, 0xfe}), "(2 bytes)"},
		{"array of bytes", slog.Any("v", [16]byte{1}), "(16 bytes)"},
		{"struct", slog.Any("v", account{Name: "bob", Password: "abc", Key: "abc", Left: "abc", hidden: "abc"}), m{"name": "bob", "pw": Mask, "api_key": Mask, "Next": nil}},
		{"pointer", slog.Any("v", &account{Name: "bob"}), m{"name": "bob", "pw": Mask, "api_key": Mask, "Next": nil}},
		{"not a number", slog.Any("v", []float64{math.NaN(), math.Inf(1)}), []any{"NaN", "+Inf"}},
		{"function", slog.Any("v", func() {}), "(func())"},
		{"channel in a map", slog.Any("v", m{"c": make(chan int)}), m{"c": "(chan int)"}},
		{"deep", slog.Any("v", deep), []any{[]any{[]any{[]any{[]any{[]any{[]any{[]any{tooDeep}}}}}}}}},
		{"key", slog.String("a\nb", "c"), "c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := Text(tt.attr.Key)
			for how, log := range map[string]func(*slog.Logger){
				"record": func(l *slog.Logger) { l.LogAttrs(t.Context(), slog.LevelInfo, "", slog.Int("first", 1), tt.attr) },
				"logger": func(l *slog.Logger) { l.With(slog.Int("first", 1), tt.attr).Info("") },
			} {
				if got := written(t, log); !reflect.DeepEqual(got[key], tt.want) || got["first"] != 1.0 {
					t.Errorf("%s: got %v, want %v", how, got, tt.want)
				}
			}
			got := written(t, func(l *slog.Logger) { l.WithGroup("sessions").With(tt.attr).Info("", tt.attr) })
			if inner := got["sessions"].(map[string]any)[key]; inner != Mask {
				t.Errorf("in a sensitive group: got %v", inner)
			}
		})
	}
	if got := fmt.Sprint(written(t, func(l *slog.Logger) { l.Info("", "v", loop) })); len(got) > MaxText {
		t.Errorf("loop: %s", got)
	}
}

func TestHandlerGroups(t *testing.T) {
	type m = map[string]any
	got := written(t, func(l *slog.Logger) {
		l = l.With("a", "jwt=abc").WithGroup("g").With("token", "abc").WithGroup("").WithGroup("h\n")
		l.Info("", "password", "abc", "n", 1, slog.Group("", slog.String("inline", "csrf: abc")), slog.Group("empty"), slog.Attr{})
	})
	want := m{"a": "jwt=" + Mask, "g": m{"token": Mask, `h\n`: m{"password": Mask, "n": 1.0, "inline": "csrf: " + Mask}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got = written(t, func(l *slog.Logger) {
		l.WithGroup("session").Info("", slog.Group("", slog.Int("a", 1)), slog.Group("b", slog.Int("c", 1)), slog.Group("empty"))
	})
	if want := (m{"session": m{"a": Mask, "b": Mask}}); !reflect.DeepEqual(got, want) {
		t.Errorf("in a sensitive group: got %v, want %v", got, want)
	}
}

func TestHandlerBounds(t *testing.T) {
	large := map[string]any{}
	for i := range 100_000 {
		large[fmt.Sprint("key ", i)] = strings.Repeat("v", 100)
	}
	wide := make([]slog.Attr, 1000)
	for i := range wide {
		wide[i] = slog.Int("k", i)
	}
	endless := valuer{}
	endless.v = slog.GroupValue(slog.Any("a", valuer{slog.GroupValue(wide...)}), slog.Any("b", valuer{slog.GroupValue(wide...)}))
	for name, v := range map[string]any{
		"map": large, "list of maps": []any{large, large, large}, "strings": make([]string, 100_000), "numbers": make([]int, 1_000_000),
		"text": strings.Repeat("é", 1<<20), "bytes": bytes.Repeat([]byte("é"), 1<<20), "header": http.Header{"X": make([]string, 10_000)},
		"valuers": endless, "error": errors.New(strings.Repeat("x", 1<<20)), "list of texts": []string{strings.Repeat("\x00", 1<<20), strings.Repeat("x", 1<<20)},
		"group": slog.GroupValue(wide...),
	} {
		var out bytes.Buffer
		slog.New(NewHandler(slog.NewJSONHandler(&out, nil))).Info("", "v", v)
		if n := out.Len(); n > 4*MaxText {
			t.Errorf("%s: %d bytes", name, n)
		}
		if s := out.String(); !strings.Contains(s, "cut)") && !strings.Contains(s, more) {
			t.Errorf("%s: does not say that something was cut: %.200s", name, s)
		}
	}
}

func TestHandlerBytesTellTheLengthCut(t *testing.T) {
	for _, s := range []string{strings.Repeat("a", 1<<20), strings.Repeat("é", 1<<19), strings.Repeat("aé🌉", 1<<17)} {
		got := written(t, func(l *slog.Logger) { l.Info("", "s", s, "b", []byte(s)) })
		if got["s"] != got["b"] {
			t.Errorf("bytes are cut in another way than a string: %.20s", s)
		}
	}
}

func TestHandlerStacks(t *testing.T) {
	stack := strings.Repeat("s", MaxText+1)
	got := written(t, func(l *slog.Logger) { l.Info("", "stack", stack, "panicStack", []byte(stack), "x", stack) })
	if got["stack"] != stack || got["panicStack"] != stack || got["x"] == stack {
		t.Error("the bound of stacks is not that of stacks")
	}
}

func TestHandlerMessageAndPlace(t *testing.T) {
	var out bytes.Buffer
	slog.New(NewHandler(slog.NewJSONHandler(&out, &slog.HandlerOptions{AddSource: true}))).Info("lost token=abc\n", "n", 1)
	m := line(t, &out)
	if m["msg"] != "lost token="+Mask+`\n` || m["n"] != 1.0 {
		t.Errorf("got %v", m)
	}
	if source, ok := m["source"].(map[string]any); !ok || !strings.HasSuffix(source["file"].(string), "handler_test.go") {
		t.Errorf("source is %v", m["source"])
	}
}

func TestHandlerEnabled(t *testing.T) {
	h := NewHandler(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if h.Enabled(t.Context(), slog.LevelInfo) || !h.Enabled(t.Context(), slog.LevelWarn) {
		t.Error("the level is not that of the handler behind")
	}
}

type failing struct{ slog.Handler }

func (failing) Handle(context.Context, slog.Record) error { return io.ErrShortWrite }

func TestHandlerReturnsTheError(t *testing.T) {
	h := NewHandler(failing{slog.DiscardHandler})
	for _, message := range []string{"clean", "token=abc"} {
		if err := h.Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%q: got %v", message, err)
		}
	}
}

type enabled struct{ slog.Handler }

func (enabled) Handle(context.Context, slog.Record) error { return nil }

func TestHandlerDoesNotAllocate(t *testing.T) {
	h := NewHandler(enabled{slog.DiscardHandler})
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "channel crashed", 0)
	r.AddAttrs(slog.String("topic", "room:1"), slog.Int("n", 1), slog.Duration("d", time.Second), slog.Group("g", slog.String("a", "b")))
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { _ = h.Handle(ctx, r) }); n != 0 {
		t.Errorf("a clean record allocates %v times", n)
	}
}

// TestHandlerDoesNotChangeWhatItLogs is about the caller's maps, slices and attributes.
func TestHandlerDoesNotChangeWhatItLogs(t *testing.T) {
	attrs := []slog.Attr{slog.Int("n", 1), slog.String("token", "abc"), slog.Any("m", map[string]any{"token": "abc", "l": []any{"jwt=abc"}})}
	before := fmt.Sprint(attrs)
	l := slog.New(NewHandler(slog.NewJSONHandler(io.Discard, nil)))
	l.LogAttrs(t.Context(), slog.LevelInfo, "", attrs...)
	l.LogAttrs(t.Context(), slog.LevelInfo, "", slog.Attr{Key: "g", Value: slog.GroupValue(attrs...)})
	l.Handler().WithAttrs(attrs)
	if after := fmt.Sprint(attrs); after != before {
		t.Errorf("%s became %s", before, after)
	}
}

func FuzzHandler(f *testing.F) {
	f.Add("a", "b", uint8(0))
	f.Add("token\"", "{\"\\\x00\u202e", uint8(3))
	f.Fuzz(func(t *testing.T, key, value string, name uint8) {
		sensitive := key + sensitiveName(name) + value
		v := value + canary
		var out bytes.Buffer
		l := slog.New(NewHandler(slog.NewJSONHandler(&out, nil)))
		l.With(sensitive, v).WithGroup(key).Info(value, key, map[string]any{sensitive: v, "a": []any{map[string]string{sensitive: v}}},
			sensitive, []byte(v), "h", http.Header{sensitive: {v}}, "u", url.Values{sensitive: {v}}, slog.Group("g", sensitive, errors.New(v)))
		if strings.Contains(out.String(), canary) {
			t.Fatalf("the secret is in the log: %s", out.String())
		}
		if !json.Valid(out.Bytes()) || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Fatalf("not one line of JSON: %q", out.String())
		}
	})
}

func BenchmarkHandler(b *testing.B) {
	h := NewHandler(enabled{slog.DiscardHandler})
	for name, attrs := range map[string][]slog.Attr{
		"clean":   {slog.String("topic", "room:1"), slog.Int("n", 1), slog.Duration("d", time.Second)},
		"payload": {slog.Any("payload", map[string]any{"user": "bob", "password": "abc", "list": []any{1, 2, "three"}})},
		"header":  {slog.Any("headers", http.Header{"Authorization": {"Bearer abc"}, "Accept": {"*/*"}, "User-Agent": {"bennu"}})},
	} {
		b.Run(name, func(b *testing.B) {
			r := slog.NewRecord(time.Now(), slog.LevelInfo, "channel crashed", 0)
			r.AddAttrs(attrs...)
			b.ReportAllocs()
			for b.Loop() {
				_ = h.Handle(context.Background(), r)
			}
		})
	}
}

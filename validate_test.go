package bennu

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// tally counts calls of Validate by name, in order.
var tally []string

// word is a Validator that is no struct.
type word string

func (w word) Validate() error {
	tally = append(tally, "word "+string(w))
	if strings.HasPrefix(string(w), "bad") {
		return Errorf("bad word")
	}
	return nil
}

// leaf has its Validate at the pointer, and changes itself.
type leaf struct {
	N int `json:"n"`
}

func (l *leaf) Validate() error {
	tally = append(tally, "leaf")
	if l.N < 0 {
		return errors.New("negative")
	}
	l.N += 100
	return nil
}

type (
	Exported   struct{ Inner word }
	unexported struct{ Inner word }
	// owner has a Validate beside embedded ones.
	owner struct {
		Exported
		unexported
	}
	promotedOnly           struct{ Exported }
	promotedPointer        struct{ *Exported }
	promotedHidden         struct{ unexported }
	promotedDeep           struct{ promotedHidden }
	promotedBelow          struct{ promotedOnly }
	promotedInterface      struct{ Validator }
	promotedGeneric[T any] struct {
		Exported
		X T
	}
)

func (Exported) Validate() error   { tally = append(tally, "Exported"); return nil }
func (unexported) Validate() error { tally = append(tally, "unexported"); return nil }
func (owner) Validate() error      { tally = append(tally, "owner"); return nil }

// tree has itself as a part.
type tree struct {
	Name     word             `json:"name"`
	Children []tree           `json:"children"`
	By       map[string]*tree `json:"by"`
	Next     *tree            `json:"next"`
}

type container struct {
	Word    word            `json:"word"`
	Pointer *leaf           `json:"pointer"`
	List    []leaf          `json:"list"`
	Array   [2]word         `json:"array"`
	Map     map[string]leaf `json:"map"`
	Deep    struct {
		Lists [][]*word `json:"lists"`
	} `json:"deep"`
	Omitted word `json:"-"`
	Plain   string
	Any     any
}

func decoded[In any](t *testing.T, text string) (In, error) {
	t.Helper()
	tally = nil
	return decoderOf[In]("here")(Payload{Data: []byte(text)})
}

func TestValidateParts(t *testing.T) {
	in, err := decoded[container](t, `{"word":"a","pointer":{"n":1},"list":[{"n":2},{"n":3}],"array":["b","c"],"map":{"k":{"n":4}},"deep":{"lists":[["d",null]]}}`)
	if err != nil {
		t.Fatal(err)
	}
	want := "word a leaf leaf leaf word b word c leaf word d"
	if got := strings.Join(tally, " "); got != want {
		t.Errorf("called %q\nwant   %q", got, want)
	}
	if in.Pointer.N != 101 || in.List[1].N != 103 || in.Map["k"].N != 104 {
		t.Errorf("what Validate has changed is lost: %+v", in)
	}
}

// TestValidatePaths names the part that is wrong, as a decode error does.
func TestValidatePaths(t *testing.T) {
	for text, want := range map[string]string{
		`{"pointer":{"n":-1}}`:          "pointer",
		`{"list":[{"n":1},{"n":-1}]}`:   "list",
		`{"map":{"secret":{"n":-1}}}`:   "map",
		`{"list":[{"n":"x"}]}`:          "list.n",
		`{"array":["a","b","c"]}`:       "",
		`{"word":"x","array":["","x"]}`: "",
	} {
		_, err := decoded[container](t, text)
		invalid, _ := errors.AsType[*payloadError](err)
		if want == "" && err != nil || want != "" && (invalid == nil || invalid.field != want) {
			t.Errorf("%s: %v, want the field %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`{"word":"bad"}`:                             `{bad word word}`,
		`{"array":["","bad"]}`:                       `{bad word array}`,
		`{"deep":{"lists":[[null],["fine","bad"]]}}`: `{bad word deep.lists}`,
	} {
		_, err := decoded[container](t, text)
		told := pointerIn[Error](err)
		if told == nil || told.Reason != "bad word" || reflect.ValueOf(told.Response).Kind() != reflect.Struct {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := told.Response.(errorReason); got.Field == "" || !strings.HasSuffix(want, got.Field+"}") {
			t.Errorf("%s: the reply is %+v, want %s", text, got, want)
		}
	}
	_, err := decoded[tree](t, `{"children":[{"by":{"k":{"next":{"name":"bad"}}}}]}`)
	if told := pointerIn[Error](err); told == nil || told.Response != any(errorReason{"bad word", "children.by.next.name"}) {
		t.Errorf("in a tree: %v", err)
	}
}

// TestValidateEmbedded calls each Validate once, wherever a struct has it from.
func TestValidateEmbedded(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*testing.T, string) error
		text string
		want string
	}{
		{"promoted", try[promotedOnly], `{"Inner":"x"}`, "word x, Exported"},
		{"promoted from a pointer", try[promotedPointer], `{"Inner":"x"}`, "word x, Exported"},
		{"promoted from a pointer that is nil", try[promotedPointer], `{}`, ""},
		{"promoted from a type that is not exported", try[promotedHidden], `{"Inner":"x"}`, "word x, unexported"},
		{"promoted twice, not exported", try[promotedDeep], `{"Inner":"x"}`, "word x, unexported"},
		{"promoted twice", try[promotedBelow], `{"Inner":"x"}`, "word x, Exported"},
		{"promoted from a nil interface", try[promotedInterface], `{}`, ""},
		{"promoted into a generic type", try[promotedGeneric[int]], `{"Inner":"x"}`, "word x, Exported"},
		{"pointer", try[*promotedOnly], `{"Inner":"x"}`, "word x, Exported"},
		{"list", try[[]promotedOnly], `[{"Inner":"x"}]`, "word x, Exported"},
		{"one of its own", try[owner], `{}`, "Exported, owner"}, // Inner is ambiguous, and not decoded
	} {
		if err := tc.do(t, tc.text); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if got := strings.Join(tally, ", "); got != tc.want {
			t.Errorf("%s: called %q, want %q", tc.name, got, tc.want)
		}
	}
}

func try[In any](t *testing.T, text string) error {
	_, err := decoded[In](t, text)
	return err
}

// TestValidateNull refuses null where a Validator is wanted, for a handler would get nil that
// nothing has checked.
func TestValidateNull(t *testing.T) {
	if err := try[*leaf](t, "null"); err == nil || len(tally) != 0 {
		t.Errorf("null: %v, called %v", err, tally)
	}
	if err := try[[]*leaf](t, "[null]"); err != nil {
		t.Errorf("null in a list: %v", err)
	}
}

// loop makes itself a part of itself.
type loop struct {
	Next *loop
	Leaf leaf
}

func (l *loop) UnmarshalJSON([]byte) error { l.Next = l; return nil }

func TestValidateLoop(t *testing.T) {
	if err := try[loop](t, "{}"); !errors.Is(err, errTooDeep) {
		t.Errorf("a value that is part of itself: %v", err)
	}
}

// TestValidateCostsNothing leaves types without a Validator alone.
func TestValidateCostsNothing(t *testing.T) {
	type plain struct {
		A int
		B []struct{ C *plainTree }
		D map[string]any
		E error
	}
	for _, in := range []reflect.Type{reflect.TypeFor[plain](), reflect.TypeFor[*plain](), reflect.TypeFor[plainTree](), reflect.TypeFor[any](), reflect.TypeFor[Raw]()} {
		if v, err := validationOf(in); v != nil || err != nil {
			t.Errorf("%s: %+v, %v", in, v, err)
		}
	}
}

type plainTree struct{ Children []plainTree }

// wrongResult has a Validate that satisfies no interface.
type wrongResult struct{}

func (wrongResult) Validate() *Error { return nil }

type hasWrongResult struct{ Part []wrongResult }

func TestValidateNeverCalled(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "validate_test.go:") || !strings.Contains(text, "it returns *bennu.Error; make it return error") {
			t.Errorf("panics with %q", text)
		}
	}()
	d := Define(func(_ context.Context, ch *Channel, _ Empty) (*Channel, Empty, error) { return ch, Empty{}, nil })
	On(d, "x", func(*Channel, context.Context, hasWrongResult) (Empty, error) { return Empty{}, nil })
}

func BenchmarkValidate(b *testing.B) {
	type none struct {
		List []struct{ N int }
	}
	type some struct {
		List []leafValue
	}
	text := Payload{Data: []byte(`{"List":[{"N":1},{"N":2},{"N":3}]}`)}
	b.Run("none", func(b *testing.B) { decodes(b, decoderOf[none]("here"), text) })
	b.Run("some", func(b *testing.B) { decodes(b, decoderOf[some]("here"), text) })
}

type leafValue struct{ N int }

func (leafValue) Validate() error { return nil }

func decodes[In any](b *testing.B, decode func(Payload) (In, error), p Payload) {
	b.ReportAllocs()
	for range b.N {
		if _, err := decode(p); err != nil {
			b.Fatal(err)
		}
	}
}

package longpoll

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bennu-go/bennu/wire"
)

func FuzzToken(f *testing.F) {
	k := newKeys([]byte("secret"))
	good := k.seal(&token{number: 3, session: id{1}, boot: id{2}, node: "a@b"})
	f.Add(good)
	f.Add(good[1:])
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := k.open(text)
		if ok && k.seal(&got) != text {
			t.Fatalf("%q is another token's text", text)
		}
		if ok && text != good {
			t.Fatalf("accepted %q", text)
		}
	})
}

func FuzzSplitBody(f *testing.F) {
	for _, s := range []string{"", "\n", "[1]\n[2]\r\n", "aGVsbG8=", "[\xff]", "a\n\n[", strings.Repeat("[\n", 200)} {
		f.Add([]byte(s), true, 100)
		f.Add([]byte(s), false, 1)
	}
	f.Fuzz(func(t *testing.T, body []byte, ndjson bool, limit int) {
		before := bytes.Clone(body)
		lines, _, err := splitBody(body, ndjson, limit)
		if !bytes.Equal(body, before) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			if lines != nil {
				t.Fatal("lines beside an error")
			}
			return
		}
		if ndjson && len(lines) > max(0, limit) || !ndjson && len(lines) != 1 {
			t.Fatalf("%d lines of %d", len(lines), limit)
		}
		total := 0
		for _, l := range lines {
			total += len(l.data)
			if l.op == wire.Text && !utf8.Valid(l.data) {
				t.Fatal("text is no UTF-8")
			}
			if ndjson && l.op == wire.Text && (l.data[0] != '[' || bytes.IndexByte(l.data, '\n') >= 0) {
				t.Fatalf("line %q", l.data)
			}
		}
		if total > len(body) {
			t.Fatal("more came out than went in")
		}
	})
}

func FuzzMessage(f *testing.F) {
	for k := kind(0); k <= kindDone+1; k++ {
		f.Add((&message{kind: k, node: "a@b", status: 200, last: true, body: []byte("abc")}).encode())
		f.Add((&message{kind: k, status: 410}).encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if err != nil {
			return
		}
		again, err := decodeMessage(m.encode())
		if err != nil {
			t.Fatalf("%+v does not decode again: %v", m, err)
		}
		if len(m.body) == 0 {
			m.body, again.body = nil, nil
		}
		if !reflect.DeepEqual(m, again) || !bytes.Equal(m.encode(), b) {
			t.Fatalf("%+v became %+v", m, again)
		}
	})
}

func FuzzSplitMessages(f *testing.F) {
	f.Add(joinMessages([][]byte{[]byte("a"), nil, []byte("bcd")}))
	f.Add([]byte{0, 0, 0, 5, 1})
	f.Add([]byte{255, 255, 255, 255, 1})
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if list, err := splitMessages(b); err == nil && !bytes.Equal(joinMessages(list), b) {
			t.Fatalf("% x", b)
		}
	})
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", `["1",null,"room","x",{"a":"\"\\"}]`, "\x00\x1f\x7f\xff", "ä\u2028\ufffd\U0001F600", "\xe2\x82", "\xed\xa0\x80", strings.Repeat("é", 5000), "x" + strings.Repeat("é", 5000), strings.Repeat("\xe2\x82", 3000), strings.Repeat("\xbf", 9000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		// In parts, as a large answer is, it is the same.
		var parts []byte
		_ = encode(nil, 1, 200, "", [][]byte{text, text}, func(b []byte) error { parts = append(parts, b...); return nil })
		whole := appendString(nil, text)
		if want := `{"status":200,"token":"","messages":[` + string(whole) + "," + string(whole) + "]}"; string(parts) != want {
			t.Fatalf("in parts %q, want %q", parts, want)
		}
		var got string
		if err := json.Unmarshal(appendString(nil, text), &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if want := strings.ToValidUTF8(string(text), "\ufffd"); utf8.Valid(text) && got != want || !utf8.Valid(text) && strings.ReplaceAll(got, "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

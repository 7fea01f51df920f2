package redact

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTextMasks(t *testing.T) {
	const m = Mask
	tests := []struct{ name, in, want string }{
		// Names and values.
		{"equals", "password=abc next", "password=" + m + " next"},
		{"colon", "passwd: abc", "passwd: " + m},
		{"arrow", `"secret" => "abc def", x`, `"secret" => "` + m + `", x`},
		{"walrus", "token := abc", "token := " + m},
		{"case", "X-API-Key: abc\tPaSsWoRd=def", "X-API-Key: " + m + `\tPaSsWoRd=` + m},
		{"part of a name", "user[api_key_v2]=abc&x=1", "user[api_key_v2]=" + m + "&x=1"},
		{"name of other letters", "пароль_token_я=abc", "пароль_token_я=" + m},
		{"two", "jwt=a csrf=b x=c", "jwt=" + m + " csrf=" + m + " x=c"},
		{"blanks of a passphrase", "password: correct horse battery, user: bob", "password: " + m + ", user: bob"},
		{"one word of a token", "token: abc was refused", "token: " + m + " was refused"},
		{"value is a name", "token=password=abc", "token=" + m},
		{"punctuation around", "(token=abc); [session=def], {jwt=ghi}", "(token=" + m + "); [session=" + m + "], {jwt=" + m + "}"},
		{"punctuation alone", "password=;;; x", "password=" + m + " x"},
		{"empty", "password=&token=\"\" x=1", "password=&token=\"\" x=1"},
		{"single quotes", "password='a \"b\" c', x", "password='" + m + "', x"},
		{"quote with more behind", `password="abc"def" x`, `password="` + m + `" x`},
		{"quote never closed", `password="abc def`, `password="` + m},
		{"quoted name with blanks", `"the password of bob": "abc"`, `"the password of bob": "` + m + `"`},
		{"again", "token=" + m, "token=" + m},
		{"user of a URL", "dial redis://bob:abc@host:1/0 and nats://abc@host", "dial redis://" + m + "@host:1/0 and nats://" + m + "@host"},

		// Headers.
		{"authorization", "Authorization: Digest username=\"x\", response=\"abc\"\r\nHost: h", `Authorization: ` + m + `\r\nHost: h`},
		{"cookie", "Cookie: a=abc; _b_key=\"def\"\nHost: h", `Cookie: ` + m + `\nHost: h`},
		{"cookie equals", "cookie=a=1; b=2 path=/x", "cookie=" + m + " path=/x"},
		{"bearer", "got Bearer abc.def-ghi, sorry", "got Bearer " + m + ", sorry"},
		{"bearer in a query", "?h=bearer+abc&x=1 ?h=Bearer%20abc%26x=1", "?h=bearer+" + m + "&x=1 ?h=Bearer%20" + m + "%26x=1"},
		{"basic", "Basic YTpi==", "Basic " + m},
		{"subprotocol", "phoenix, base64url.bearer.phx.YWJj+/Zg, x", "phoenix, base64url.bearer.phx." + m + ", x"},

		// Tokens without names.
		{"jwt", "bad eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_ here", "bad " + m + " here"},
		{"jwt in a path", "/v/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln/x", "/v/" + m + "/x"},
		{"phoenix signed", "/SFMyNTY.g2gDYSpuBgAA.Rn3K52?x=1", "/" + m + "?x=1"},
		{"phoenix encrypted", "<XCP.NulH4YmD6rJV-im>", "<" + m + ">"},
		{"phoenix old", "QTEyOEdDTQ.a.b.c.d e", m + " e"},

		// JSON.
		{"json", `{"token":"abc","x":"y"}`, `{"token":"` + m + `","x":"y"}`},
		{"json escapes", `{"token":"a\"b\\","x":"y"}`, `{"token":"` + m + `","x":"y"}`},
		{"json number", `{"token":123,"x":"y z"}`, `{"token":` + m + `,"x":"y z"}`},
		{"json object", `{"session":{"a":"}","b":[1,2]},"x":1}`, `{"session":` + m + `,"x":1}`},
		{"json spaced", "{ \"token\" : \"abc\" , \"x\" : 1 }", `{ "token" : "` + m + `" , "x" : 1 }`},
		{"json inside json", `{"a":"{\"token\":\"a\\\"b\",\"x\":1}"}`, `{"a":"{\"token\":\"` + m + `\",\"x\":1}"}`},
		{"json inside json inside json", `"{\"a\":\"{\\\"token\\\":\\\"abc\\\",\\\"x\\\":1}\"}"`, `"{\"a\":\"{\\\"token\\\":\\\"` + m + `\\\",\\\"x\\\":1}\"}"`},
		{"json by number", `{\u0022token\u0022:\u0022abc\u0022}`, `{\u0022token\u0022:\u0022` + m + `\u0022}`},
		{"number in a quoted value", `{"token":"a\\u0022b","x":1}`, `{"token":"` + m + `","x":1}`},
		{"query in json", `{"uri":"/x?token=abc\u0026y=1","z":2}`, `{"uri":"/x?token=` + m + `","z":2}`},

		// Queries.
		{"query", "/s?vsn=2.0.0&token=abc%26def%22&x=1", "/s?vsn=2.0.0&token=" + m + "&x=1"},
		{"name encoded", "?%74oken=abc&p%61ssword=def", "?%74oken=" + m + "&p%61ssword=" + m},
		{"separator encoded", "?to=%2Fcb%3Ftoken%3Dabc%26x%3D1&y=2", "?to=%2Fcb%3Ftoken%3D" + m + "%26x%3D1&y=2"},
		{"encoded twice", "?to=token%253Dabc%2526x&y=2", "?to=token%253D" + m + "%2526x&y=2"},
		{"encoded json", "?q=%7B%22token%22%3A%22abc%22%2C%22x%22%3A1%7D", "?q=%7B%22token%22%3A%22" + m + "%22%2C%22x%22%3A1%7D"},
		{"encoded twice, value with a percent sign", "?to=token%3D%2525%26x", "?to=token%3D" + m + "%26x"},

		// What Go prints.
		{"map", fmt.Sprint(map[string]string{"a": "1", "password": "abc def", "x": "y"}), "map[a:1 password:" + m + " x:y]"},
		{"map of values", fmt.Sprint(map[string]any{"session": map[string]any{"a": []int{1}}, "x": "y"}), "map[session:" + m + " x:y]"},
		{"header", fmt.Sprint(http.Header{"Authorization": {"Digest a, b"}, "Cookie": {"a=b; c=d"}, "Host": {"h"}}), "map[Authorization:" + m + " Cookie:" + m + " Host:[h]]"},
		{"struct", fmt.Sprintf("%+v", struct{ User, Password, X string }{"bob", "abc def", "y"}), "{User:bob Password:" + m + " X:y}"},
		{"struct in Go syntax", fmt.Sprintf("%#v", struct{ Token, X string }{"abc", "y"}), `struct { Token string; X string }{Token:"` + m + `", X:"y"}`},
		{"quoted", fmt.Sprintf("%q", `token="abc" x`), `"token=\"` + m + `\" x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Text(tt.in); got != tt.want {
				t.Errorf("Text(%q)\n got %s\nwant %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestTextLeaves(t *testing.T) {
	for _, s := range []string{
		"", "joined", "connection reset by peer", "Über die Brücke 🌉", "100 % of %d", `C:\users\x`,
		"token is not here", "the password was wrong", "session 42 ended, cookies accepted",
		"token: expired", "verify: token: invalid", "session: nil",
		"https://example.com/a?b=c", "/x/token.go:123 +0x1f", "session_test.go:7: bad",
		"github.com/bennu-go/bennu.(*Session).run(0xc000, {0x1, 0x2})",
		"eyJ without more", "Bearer", "SFMyNTY.", "a:b=c&d=%41",
	} {
		if got := Text(s); got != s {
			t.Errorf("Text(%q) = %q", s, got)
		}
	}
}

func TestTextEscapes(t *testing.T) {
	tests := []struct{ in, want string }{
		{"a\nb\r\tc", `a\nb\r\tc`},
		{"\x00\x1b[31m\x7f", `\x00\x1b[31m\x7f`},
		{"\u0085\u009b", `\u0085\u009b`},
		{"\u2028\u2029\u202e\u2066\u200f\u061c\ufeff", `\u2028\u2029\u202e\u2066\u200f\u061c\ufeff`},
		{"\U000e0041", `\U000e0041`},
		{"\x9b\xff\xc3", `\x9b\xff\xc3`},
		{"é漢\ufffd\u00a0😀", "é漢\ufffd\u00a0😀"},
		{"token=a\x00b\nc", "token=" + Mask + `\x00b\nc`},
	}
	for _, tt := range tests {
		if got := Text(tt.in); got != tt.want {
			t.Errorf("Text(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestTextBounds(t *testing.T) {
	long := strings.Repeat("a", MaxText)
	if got := Text(long); got != long {
		t.Error("a text of MaxText bytes was changed")
	}
	if got, want := Text(long+"b"), long[:MaxText-room]+fmt.Sprintf("... (%d bytes cut)", room+1); got != want {
		t.Errorf("got ...%s", got[len(got)-60:])
	}
	if got := Stack(long + "b"); got != long+"b" {
		t.Error("a stack of less than MaxStack bytes was changed")
	}
	if got := Text("token=\"" + strings.Repeat("a", 10<<20)); got != "token=\""+Mask+fmt.Sprintf("... (%d bytes cut)", 10<<20+7-MaxText) {
		t.Errorf("got %s", got)
	}
	for _, s := range []string{"\x00", "é", "\u202e", "\xff", "🌉", "token=a ", "a&password=b", "://a@b/ "} {
		for n := MaxText/len(s) - 3; n < MaxText/len(s)+3; n++ {
			in := strings.Repeat(s, n)
			if got := Text(in); len(got) > MaxText || !utf8.ValidString(got) {
				t.Errorf("%d times %q: %d bytes, valid %v", n, s, len(got), utf8.ValidString(got))
			}
		}
	}
}

// TestTextCutInASecret cuts texts at each byte of a secret.
func TestTextCutInASecret(t *testing.T) {
	for _, secret := range []string{
		"password=CANARYCANARYCANARY", `{"token":"CANARYCANARY","x":1}`, "redis://bob:CANARYCANARYCANARY@host",
		"eyJhbGciOiJIUzI1NiJ9.CANARYCANARY.CANARY", "SFMyNTY.CANARYCANARY.CANARY", "Bearer CANARYCANARY", "Cookie: a=CANARYCANARY",
	} {
		for n := range len(secret) {
			in := strings.Repeat("a", MaxText-n) + secret + strings.Repeat(" b", 100)
			// Less than half of the canary says nothing.
			if got := Text(in); strings.Contains(got, "CANARYC") {
				t.Errorf("%q cut at %d: ...%s", secret, n, got[MaxText-n-room:])
			}
		}
	}
}

// TestTextWorkIsBounded has texts in which every word would read all the rest.
func TestTextWorkIsBounded(t *testing.T) {
	for _, s := range []string{
		"token", "token={", `token="`, "token=", `token:\"`, `"token "`, "eyJ", "Bearer ", "://", `\`, "%25", "token=%5C", "cookie:[", "password:a ", "password:{,a",
	} {
		in := strings.Repeat(s, MaxText/len(s))
		f := finder{s: in}
		f.find()
		// What the last word may overdraw is a few scans of the rest.
		if f.work < -4*len(in) {
			t.Errorf("%q repeated: work overdrawn by %d", s, -f.work)
		}
		if got := Text(in); len(got) > MaxText {
			t.Errorf("%q repeated: %d bytes", s, len(got))
		}
	}
}

func TestTextOfAStackKeepsPlaces(t *testing.T) {
	stack := string(debug.Stack())
	got := Stack("panic: bad password=CANARY\n" + stack)
	if strings.Contains(got, "CANARY") {
		t.Error("secret in a panic text")
	}
	if !strings.Contains(got, "redact_test.go:") || !strings.Contains(got, `\n`) {
		t.Errorf("places are lost: %s", got)
	}
}

func TestTextDoesNotAllocate(t *testing.T) {
	for _, s := range []string{
		"", "joined", strings.Repeat("nothing to hide here. ", 100), "Über die Brücke 🌉",
		"github.com/bennu-go/bennu/transport/websocket/conn.go:120 +0x1f", "token is gone", "/x?a=%20b",
	} {
		if n := testing.AllocsPerRun(100, func() { _ = Text(s) }); n != 0 {
			t.Errorf("Text(%.30q) allocates %v times", s, n)
		}
	}
}

func TestSensitive(t *testing.T) {
	for _, name := range []string{
		"password", "user_passwd", "Token", "x-phoenix-authtoken", "SECRET_KEY_BASE", "Authorization", "Proxy-Authorization",
		"Set-Cookie", "api_key", "X-Api-Key", "apiKey", "sessionId", "jwt", "_csrf_token", "X-CSRF",
	} {
		if !Sensitive(name) {
			t.Errorf("Sensitive(%q) = false", name)
		}
	}
	for _, name := range []string{"", "user", "topic", "pass", "tok", "bearer", "basic", "eyJ", "SFMyNTY.", "error"} {
		if Sensitive(name) {
			t.Errorf("Sensitive(%q) = true", name)
		}
	}
}

const canary = "cAnArY0123456789"

// sensitiveName chooses one of the words that make a name sensitive.
func sensitiveName(n uint8) string {
	var names []string
	for _, w := range words {
		if w.kind.isName() {
			names = append(names, w.text)
		}
	}
	return names[int(n)%len(names)]
}

// forms write a name with a secret in all the ways that Text knows.
var forms = []func(name, value string) string{
	func(n, v string) string { return n + "=" + canary },
	func(n, v string) string { return n + ": " + canary },
	func(n, v string) string { return n + ":" + canary },
	func(n, v string) string { return n + ` => "` + canary + `"` },
	func(n, v string) string { return "map[" + n + ":" + canary + "]" },
	func(n, v string) string { return fmt.Sprintf("{%s:[%s]}", n, canary) },
	func(n, v string) string { return "Bearer " + canary },
	func(n, v string) string { return "basic " + canary },
	func(n, v string) string { return "eyJhbGci." + canary + ".sig" },
	func(n, v string) string { return "SFMyNTY." + canary },
	func(n, v string) string { return "base64url.bearer.phx." + canary },
	// From here on quotes and encodings tell what the value is, whatever is in it.
	func(n, v string) string { return quoted(map[string]string{n: v}) },
	func(n, v string) string { return quoted(quoted(map[string]string{n: v})) },
	func(n, v string) string { return quoted(quoted(quoted(map[string]string{n: v}))) },
	func(n, v string) string { return quoted(map[string]any{n: []any{map[string]any{"a": v}}}) },
	func(n, v string) string { return fmt.Sprintf("%q", quoted(map[string]string{n: v})) },
	func(n, v string) string { return url.Values{n: {v}}.Encode() },
	func(n, v string) string { return url.QueryEscape(url.Values{n: {v}}.Encode()) },
	func(n, v string) string { return url.QueryEscape(url.QueryEscape(url.Values{n: {v}}.Encode())) },
	func(n, v string) string { return url.QueryEscape(quoted(map[string]string{n: v})) },
}

func quoted(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func FuzzText(f *testing.F) {
	for i := range forms {
		f.Add("", uint8(0), "", uint8(i), "", "")
		f.Add(`{"a":"`, uint8(i), "_x", uint8(i), `\"b", c`, `","d":1}`)
		f.Add(`token="`, uint8(i), "", uint8(i), `%22\\u0022%5C\"&`, "\n\u202e\x9b")
		f.Add(`100%25password:[`, uint8(i), "id", uint8(i), `\`, strings.Repeat("b", MaxText))
	}
	f.Fuzz(func(t *testing.T, before string, name uint8, more string, form uint8, value, after string) {
		more = strings.Map(func(r rune) rune {
			if 'a' <= r && r <= 'z' || r == '_' {
				return r
			}
			return -1
		}, more)
		if len(more) > 32 {
			more = more[:32]
		}
		write := forms[int(form)%len(forms)]
		secret := write(sensitiveName(name)+more, strings.ToValidUTF8(value, "")+canary)
		for _, in := range []string{before + secret + after, secret + after, before + secret} {
			got := Text(in)
			if strings.Contains(got, canary) {
				t.Fatalf("the secret is in the log\n in %q\nout %s", in, got)
			}
			checkClean(t, in, got)
		}
	})
}

// checkClean checks what holds for every output.
func checkClean(t *testing.T, in, out string) {
	t.Helper()
	if len(out) > MaxText {
		t.Fatalf("%d bytes for %q", len(out), in)
	}
	for i, r := range out {
		if _, n := utf8.DecodeRuneInString(out[i:]); !shown(r, n) || r < ' ' || 0x7f <= r && r < 0xa0 {
			t.Fatalf("%q at %d of %q, for %q", r, i, out, in)
		}
	}
}

func BenchmarkText(b *testing.B) {
	for _, bb := range []struct{ name, text string }{
		{"clean", "broadcast skips clients whose serializer cannot carry it: unexpected end of input"},
		{"clean4K", strings.Repeat("broadcast skips clients whose serializer cannot carry it. ", 70)},
		{"query", "/socket/websocket?vsn=2.0.0&token=SFMyNTY.g2gDYSpuBgAAaOXPiwFiAAFRgA.Rn3K52Xm55OI0TRjqy2gA8wT"},
		{"json", `{"user":"bob","password":"abc","data":{"a":[1,2,3],"b":"some text that goes on"}}`},
		{"hostile", strings.Repeat("token={", MaxText/7)},
		{"cut10M", strings.Repeat("0123456789", 1<<20)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(min(len(bb.text), MaxText)))
			for b.Loop() {
				_ = Text(bb.text)
			}
		})
	}
}
